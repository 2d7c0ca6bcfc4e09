"""The page while nothing, something, or the wrong thing happens."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from droneseg.bundle import Bundle
from tests.service.page.visit import Visit, visiting
from tests.service.server import serve

pytestmark = pytest.mark.service

GIVE = """([event, bytes]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], "given.png", { type: "image/png" }));
  const data = event === "paste" ? { clipboardData: transfer } : { dataTransfer: transfer };
  const Kind = event === "paste" ? ClipboardEvent : DragEvent;
  document.dispatchEvent(new Kind(event, { ...data, bubbles: true, cancelable: true }));
}"""


def test_the_model_is_named(visit: Visit) -> None:
    visit.page.wait_for_selector("#model[data-state=ready]")
    assert "two_folds" in visit.page.inner_text("#model")
    assert "-cpu" in visit.page.inner_text("#model")


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_a_photo_is_pasted_or_dropped(visit: Visit, photo: Path, event: str) -> None:
    visit.page.evaluate(GIVE, [event, list(photo.read_bytes())])
    visit.wait_for_result()
    assert visit.page.inner_text("#name") == "given.png"


def test_an_error_has_its_code_and_request(visit: Visit, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_bytes(b"not a photo")
    visit.page.set_input_files("#file", tmp_path / "notes.jpg")
    visit.page.wait_for_selector("#error:not([hidden])")
    with visit.page.expect_response("**/predict*") as response:
        visit.page.set_input_files("#file", tmp_path / "notes.jpg")
    answer = response.value.json()
    visit.page.wait_for_selector(f"#error .request:has-text('{answer['request_id']}')")
    assert visit.page.inner_text("#error .code") == answer["code"] == "unsupported_image"
    said = visit.page.inner_text("#error .message").lower()
    assert answer["message"].lower() in said
    visit.expect_refusals()
    visit.pick(photo)
    assert visit.page.locator("#error").is_hidden()


def test_an_upload_is_shown_and_cancelled(visit: Visit, tmp_path: Path) -> None:
    network = visit.page.context.new_cdp_session(visit.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", slow)
    (tmp_path / "large.jpg").write_bytes(bytes(2_000_000))
    visit.page.set_input_files("#file", tmp_path / "large.jpg")
    visit.page.wait_for_selector("#progress-text:has-text('Uploading')")
    expect(visit.page.locator("#progress-text")).to_have_text(re.compile("[1-9]+ %"))
    with visit.page.expect_event("requestfailed", lambda request: "/predict" in request.url):
        visit.page.click("#cancel")
    assert visit.page.locator("#start").is_visible()
    assert visit.page.inner_text("#status") == "Cancelled."
    assert visit.page.evaluate("document.activeElement.id") == "choose"


def test_the_upload_and_the_waiting_are_shown(visit: Visit, photo: Path) -> None:
    visit.page.evaluate(
        """() => {
          window.seen = [];
          const text = document.getElementById("progress-text");
          const watch = new MutationObserver(() => seen.push(text.textContent));
          watch.observe(text, { childList: true });
        }"""
    )
    visit.pick(photo)
    seen = visit.page.evaluate("seen")
    assert seen[0].startswith("Uploading")
    assert "Segmenting…" in seen
    assert visit.page.locator("#progress").is_hidden()
    assert visit.page.inner_text("#status").startswith("Done in")


def test_a_service_that_asks_for_a_key(
    browser: Browser, two_folds_bundle: Bundle, photo: Path, tmp_path: Path
) -> None:
    settings = {"DRONESEG_MODEL": str(two_folds_bundle.path), "DRONESEG_API_KEYS": "open-sesame"}
    with serve(tmp_path, **settings) as server:
        server.wait_until_ready()
        with visiting(browser, server.url) as visit:
            visit.page.wait_for_selector("#key:not([hidden])")
            assert visit.page.locator("#start").is_hidden()
            visit.page.fill("#key-field", "open-barley")
            visit.page.keyboard.press("Enter")
            visit.page.wait_for_selector("#key-message:has-text('not known')")
            visit.expect_refusals()
            visit.page.fill("#key-field", "open-sesame")
            visit.page.keyboard.press("Enter")
            visit.page.wait_for_selector("#model[data-state=ready]")
            visit.pick(photo)


def test_there_is_no_key_field_without_keys(visit: Visit) -> None:
    visit.page.wait_for_selector("#model[data-state=ready]")
    assert visit.page.locator("#key").is_hidden()


def test_a_service_that_cannot_be_reached(visit: Visit, photo: Path) -> None:
    visit.page.wait_for_selector("#model[data-state=ready]")
    visit.page.context.set_offline(offline=True)
    visit.page.set_input_files("#file", photo)
    visit.page.wait_for_selector("#error .code:has-text('unreachable')")
    visit.page.context.set_offline(offline=False)
    visit.errors.clear()
    visit.page.click("text=Try again")
    visit.wait_for_result()
