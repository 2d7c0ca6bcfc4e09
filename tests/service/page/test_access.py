"""The page for keyboards, screen readers, phones, and browsers that trust nobody."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.service.page.photos import PNG
from tests.service.page.visit import Visit, visiting
from tests.service.server import ROOT, Server

pytestmark = pytest.mark.service

PAGE = ROOT / "service" / "page"
MANY = 60


def tab_to(visit: Visit, selector: str, key: str = "Tab") -> None:
    for _ in range(MANY):
        visit.page.keyboard.press(key)
        if visit.page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{key} does not lead to {selector}")


def test_the_keyboard_alone_gets_through(visit: Visit) -> None:
    tab_to(visit, "#choose")
    with visit.page.expect_file_chooser():
        visit.page.keyboard.press("Enter")
    tab_to(visit, "[data-sample='1.jpg']")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#progress:not([hidden])")
    assert visit.page.evaluate("document.activeElement.id") == "cancel"
    visit.wait_for_result()
    assert visit.page.evaluate("document.activeElement.id") == "name"

    tab_to(visit, "#wipe", key="Shift+Tab")
    visit.page.keyboard.press("PageUp")
    assert float(visit.page.input_value("#wipe")) > 0
    tab_to(visit, "#picture", key="Shift+Tab")
    visit.page.keyboard.press("ArrowRight")
    assert visit.page.locator("#cross").is_visible()
    assert visit.page.inner_text("#readout") == f"{visit.page.inner_text('#tip')}, at 420, 300"
    tab_to(visit, "#legend input")
    visit.page.keyboard.press("Space")
    assert not visit.page.is_checked("#legend input >> nth=0")
    tab_to(visit, "#opacity")
    visit.page.keyboard.press("Home")
    assert visit.page.inner_text("#opacity-value") == "0 %"
    tab_to(visit, "[data-download=labels]")
    with visit.page.expect_download():
        visit.page.keyboard.press("Enter")
    tab_to(visit, "#another", key="Shift+Tab")
    with visit.page.expect_file_chooser():
        visit.page.keyboard.press("Enter")


def at_start(visit: Visit, folder: Path) -> None:
    visit.page.wait_for_selector("#model[data-state=ready]")


def at_result(visit: Visit, folder: Path) -> None:
    (folder / "field.png").write_bytes(PNG)
    visit.pick(folder / "field.png")


def at_error(visit: Visit, folder: Path) -> None:
    (folder / "notes.jpg").write_bytes(b"not a photo")
    visit.page.set_input_files("#file", folder / "notes.jpg")
    visit.page.wait_for_selector("#error:not([hidden])")
    visit.expect_refusals()


def at_key(visit: Visit, folder: Path) -> None:
    # The element as it is; test_states.py has the service that asks.
    visit.page.evaluate("document.getElementById('key').hidden = false")
    visit.page.evaluate("document.getElementById('start').hidden = true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", [at_start, at_result, at_error, at_key])
def test_axe_finds_nothing(
    browser: Browser,
    server: Server,
    state: Callable[[Visit, Path], None],
    scheme: str,
    tmp_path: Path,
) -> None:
    with visiting(browser, server.url, color_scheme=scheme) as visit:
        state(visit, tmp_path)
        results = Axe().run(visit.page)
        assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("state", [at_start, at_result, at_error, at_key])
def test_a_phone_need_not_scroll_sideways(
    browser: Browser, server: Server, state: Callable[[Visit, Path], None], tmp_path: Path
) -> None:
    size = {"width": 390, "height": 844}
    with visiting(browser, server.url, viewport=size) as visit:
        state(visit, tmp_path)
        assert visit.page.evaluate("document.scrollingElement.scrollWidth") == 390


def test_browsers_get_the_page_and_programs_json(server: Server) -> None:
    page = httpx.get(server.url, headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["vary"] == "Accept"
    for accept in ("*/*", "application/json"):
        answer = httpx.get(server.url, headers={"Accept": accept})
        assert answer.json() == {"status": "ok", "model_status": "ready"}


@pytest.mark.parametrize("path", ["", "page/main.js", "page/base.css", "page/samples/2.jpg"])
def test_nothing_inline_and_no_other_host(server: Server, path: str) -> None:
    answer = httpx.get(f"{server.url}/{path}", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["page/nothing.js", "page/", "page/samples/3.jpg", "page/..%2ffront.py"]
)
def test_the_page_has_no_other_files(server: Server, path: str) -> None:
    answer = httpx.get(f"{server.url}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_files_name_no_other_host() -> None:
    for file in PAGE.iterdir():
        addresses = re.findall(r"https?://[^\"')]*|[\"'(]//[^\"')]*", file.read_text())
        # The namespace of SVG is a name; nobody asks for it.
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, file.name
