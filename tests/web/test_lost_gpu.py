"""The graphics processor goes away while the page plays: Chromium's GPU process is made to crash."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketlens.errors import MissingError
from pocketlens.web import chromium
from pocketlens.web.chromium import Chromium, Page
from pocketlens.web.serve import serve
from tests.web.pages import allow, golden, near, opened, phone, shown, text, until


@pytest.fixture(scope="module")
def with_gpu(clip: Path) -> Iterator[Chromium]:
    camera = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={clip}")
    try:
        with chromium.start((*chromium.WEBGPU, *camera)) as started:
            yield started
    except MissingError as error:
        pytest.skip(f"{error.what}: {error.do}")


def lose(browser: Chromium, page: Page, count: int) -> None:
    """Crash the GPU process, and wait until the page has said ``count`` times that it was lost and plays again."""
    page.evaluate("document.getElementById('facts').replaceChildren()")
    browser.call("Browser.crashGpuProcess")
    page.wait(f"document.getElementById('attempts').textContent.split('WebGPU was lost').length > {count}", 60)
    page.wait("document.getElementById('facts').childElementCount > 0", 120)


def test_it_starts_the_gpu_again_and_then_goes_on_in_webassembly(with_gpu: Chromium, bundle: Path) -> None:
    with serve(bundle / "web") as address:
        page = opened(phone(with_gpu), f"{address}?backend=webgpu")
        assert "WebGPU" in text(page, "status") and text(page, "problem") == ""
        allow(with_gpu, address, "granted")
        lose(with_gpu, page, 1)
        assert "WebGPU" in text(page, "status")
        assert "graphics processor stopped" in text(page, "problem")
        until(lambda: shown(page), near(golden(bundle)[1]))
        lose(with_gpu, page, 2)
        assert "WebAssembly with threads" in text(page, "status")
        until(lambda: shown(page), near(golden(bundle)[1]))
        page.evaluate("document.getElementById('start').click()")  # and so does the camera
        page.wait("/frames a second/.test(document.getElementById('status').textContent)", 60)
