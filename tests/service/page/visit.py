"""A visit to the page in a real browser."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

TIMEOUT_MS = 60_000


@dataclass
class Visit:
    """The page, and what its console and its network saw."""

    page: Page
    errors: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def pick(self, *photo: Path) -> None:
        """Pick a photo and wait for its result."""
        self.page.set_input_files("#file", photo)
        self.wait_for_result()

    def wait_for_result(self) -> None:
        self.page.wait_for_selector("#panel:not([hidden])")

    def expect_refusals(self) -> None:
        """The browser logs a status of 400 or more as an error; here they are wanted."""
        assert self.errors
        assert all("the server responded with a status of 4" in text for text in self.errors)
        self.errors.clear()

    def canvas(self, name: str) -> NDArray[np.uint8]:
        """The pixels of a canvas, uint8 [H, W, 4]."""
        url = self.page.evaluate("name => document.getElementById(name).toDataURL()", name)
        return to_array(base64.b64decode(url.partition(",")[2]))

    def screenshot(self) -> NDArray[np.uint8]:
        """What the eye sees of the picture, uint8 [H, W, C]."""
        return to_array(self.page.locator(".layers").screenshot(animations="disabled"))

    def slide(self, name: str, value: float) -> None:
        self.page.locator(f"#{name}").fill(str(value))

    def download(self, kind: str) -> tuple[str, bytes]:
        """The name and content of a download."""
        with self.page.expect_download() as download:
            self.page.click(f"[data-download={kind}]")
        return download.value.suggested_filename, download.value.path().read_bytes()


@contextmanager
def visiting(browser: Browser, url: str, **context: Any) -> Iterator[Visit]:
    """Open the page; in the end nothing may have gone wrong or to another host."""
    with browser.new_context(**context) as opened:
        opened.set_default_timeout(TIMEOUT_MS)
        visit = Visit(opened.new_page())
        visit.page.on(
            "console", lambda m: visit.errors.append(m.text) if m.type == "error" else None
        )
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on("request", lambda request: visit.urls.append(request.url))
        # With a listener from the start file dialogs are intercepted from the start:
        # expect_file_chooser alone asks for it as the key goes down, and may come too late.
        visit.page.on("filechooser", lambda chooser: None)
        visit.page.goto(url)
        yield visit
        assert not visit.errors
        assert all(asked.startswith((f"{url}/", "blob:", "data:")) for asked in visit.urls)


def to_array(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))
