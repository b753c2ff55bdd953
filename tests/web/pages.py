"""What tests ask of an open page of a filter."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from pocketlens import images, quality
from pocketlens.images import Picture
from pocketlens.web.chromium import Chromium, Page

READ = """(async () => {
  const shown = document.getElementById('picture');
  const copy = new OffscreenCanvas(shown.width, shown.height).getContext('2d');
  copy.drawImage(shown, 0, 0);
  const { data } = copy.getImageData(0, 0, shown.width, shown.height);
  let text = '';
  for (const byte of data) text += String.fromCharCode(byte);
  return [shown.height, shown.width, btoa(text)];
})()"""
Seen = TypeVar("Seen")
READY = "document.body.dataset.ready || !document.getElementById('problem').hidden"


def phone(browser: Chromium, *, before: str = "") -> Page:
    """A page with a phone's viewport; ``before`` is a script that runs before each document's own."""
    page = browser.page()
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    if before:
        page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
    return page


def opened(page: Page, address: str) -> Page:
    """The page, once the filter plays or the page says why it does not."""
    page.open(address)
    page.wait(READY, 60)
    return page


def text(page: Page, identity: str) -> str:
    return str(page.evaluate(f"document.getElementById('{identity}').textContent"))


def attempts(page: Page) -> str:
    """What the page says of backends and files that did not play."""
    return text(page, "attempts")


def shown(page: Page) -> Picture:
    """The pixels of the page's canvas."""
    return pixels(page.evaluate(READ))


def pixels(read: tuple[int, int, str]) -> Picture:
    """The picture of what :data:`READ` gives: height, width, and RGBA bytes in base64."""
    height, width, text = read
    rgba = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
    return np.ascontiguousarray(rgba[..., :3])


def move(page: Page, identity: str, value: int, event: str = "input") -> None:
    """Move a slider of the page."""
    page.evaluate(
        f"(() => {{ const it = document.getElementById('{identity}'); it.value = {value}; "
        f"it.dispatchEvent(new Event('{event}')); }})()"
    )


def allow(browser: Chromium, address: str, setting: str) -> None:
    """Answer the camera's question for a site: ``granted`` or ``denied``."""
    origin = address.rstrip("/")
    browser.call("Browser.setPermission", permission={"name": "camera"}, setting=setting, origin=origin)


def until(read: Callable[[], Seen], wanted: Callable[[Seen], bool], seconds: float = 60) -> Seen:
    """Read what is shown until it is as wanted: the worker draws when it has played."""
    end = time.monotonic() + seconds
    while not wanted(picture := read()):
        assert time.monotonic() < end, f"not as wanted within {seconds:g} s"
        time.sleep(0.1)
    return picture


def near(expected: Picture, least: float = 40) -> Callable[[Picture], bool]:
    return lambda picture: picture.shape == expected.shape and quality.psnr(expected, picture) > least


def golden(bundle: Path) -> tuple[Picture, Picture]:
    first, second = sorted((bundle / "golden").glob("*_00_*.png"))
    return images.read(first), images.read(second)
