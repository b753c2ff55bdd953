"""The page in a real browser with a phone's viewport: it opens, plays, filters the camera, and survives what phones do
to it.
"""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import pocketlens
from pocketlens import images, quality
from pocketlens.images import Picture
from pocketlens.web.chromium import Chromium
from pocketlens.web.serve import serve
from tests.web.camera import FACE, SIZE
from tests.web.pages import allow, attempts, golden, move, near, opened, phone, shown, text, until


@pytest.fixture
def damaged(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the page that tests may damage."""
    return Path(shutil.copytree(bundle / "web", tmp_path / "web"))


def test_it_opens_on_the_golden_picture_and_compares(browser: Chromium, bundle: Path) -> None:
    before, after = golden(bundle)
    with serve(bundle / "web") as address:
        page = opened(phone(browser), address)
        assert text(page, "problem") == ""
        assert "WebAssembly with threads, w8" in text(page, "status")
        assert "WebGPU: " in attempts(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        until(lambda: shown(page), near(after))
        move(page, "split", 50)
        half = np.concatenate([before[:, :32], after[:, 32:]], 1)
        until(lambda: shown(page), near(half))
        move(page, "split", 100)
        until(lambda: shown(page), lambda picture: bool((picture == before).all()))


def test_live_frames_are_the_filters(browser: Chromium, bundle: Path) -> None:
    mirrored = images.fill(images.fill(images.read(FACE), *SIZE), 64, 64)[:, ::-1]
    with serve(bundle / "web") as address, pocketlens.load(bundle, runtime="onnxruntime") as session:
        page = opened(phone(browser), address)
        allow(browser, address, "granted")
        page.evaluate("document.getElementById('start').click()")

        def before_and_after() -> tuple[Picture, Picture]:
            """What the page shows at both ends of the slider; they may come from two frames."""
            pictures = []
            for split in (100, 0):
                move(page, "split", split)
                time.sleep(0.2)
                pictures.append(shown(page))
            return pictures[0], pictures[1]

        def fits(pair: tuple[Picture, Picture]) -> bool:
            # The clip stored its colours for 2 x 2 pixels and lost some of them.
            return near(mirrored, 28)(pair[0]) and near(session(pair[0]), 35)(pair[1])

        before, after = until(before_and_after, fits)
        assert quality.psnr(before, after) < 30  # the filter changes a picture
        assert all(quality.psnr(mirrored, other) < 20 for other in (mirrored[:, ::-1], *golden(bundle)))
        page.wait("/frames a second/.test(document.getElementById('status').textContent)")
        page.evaluate("document.getElementById('flip').click()")
        page.wait("document.getElementById('start').textContent === 'Stop the camera'")
        move(page, "split", 100)
        until(lambda: shown(page), near(mirrored[:, ::-1], 28))
        page.evaluate("document.getElementById('start').click()")
        assert page.evaluate("document.getElementById('flip').hidden")


def test_a_denied_camera_is_said_and_pictures_still_play(browser: Chromium, bundle: Path) -> None:
    with serve(bundle / "web") as address:
        page = opened(phone(browser), address)
        allow(browser, address, "denied")
        page.evaluate("document.getElementById('start').click()")
        page.wait("!document.getElementById('problem').hidden")
        assert "was not allowed" in text(page, "problem")
        root = page.call("DOM.getDocument")["root"]["nodeId"]
        node = page.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        chosen = bundle / "golden" / "in_01_64x64.png"
        page.call("DOM.setFileInputFiles", files=[str(chosen)], nodeId=node)
        until(lambda: shown(page), near(images.read(bundle / "golden" / "out_01_64x64.png")))
        assert text(page, "problem") == ""


def test_styles_switch_and_blend(browser: Chromium, pack: Path) -> None:
    about = json.loads((pack / "filter.json").read_text())
    expected = {g["style"]: images.read(pack / g["expected"]) for g in about["golden"]}
    with serve(pack) as address:
        page = opened(phone(browser), address)
        until(lambda: shown(page), near(expected["ink"]))
        page.evaluate("document.querySelector('#chips input[value=chalk]').click()")
        picture = {g["style"]: g["picture"] for g in about["golden"]}
        with pocketlens.load(pack.parent) as session:
            source = images.read(pack / picture["ink"])
            until(lambda: shown(page), near(session(source, style="chalk")))
            move(page, "share", 40)
            until(lambda: shown(page), near(session(source, style={"chalk": 0.6, "oil": 0.4})))


def test_offline_after_the_first_visit_on_a_host_without_headers(browser: Chromium, bundle: Path) -> None:
    page = phone(browser)
    with serve(bundle / "web", isolated=False) as address:
        opened(page, address)
        assert page.evaluate("self.crossOriginIsolated")
        assert "with threads" in text(page, "status")
    page.evaluate("document.body.dataset.ready = ''")
    page.call("Page.reload")
    page.wait("document.body.dataset.ready", 60)
    assert "with threads" in text(page, "status")
    until(lambda: shown(page), near(golden(bundle)[1]))


def test_without_isolation_one_thread_plays(browser: Chromium, bundle: Path) -> None:
    with serve(bundle / "web", isolated=False) as address:
        page = opened(phone(browser, before="delete Navigator.prototype.serviceWorker"), address)
        assert "one thread" in text(page, "status")
        assert "not cross-origin isolated" in attempts(page)
        until(lambda: shown(page), near(golden(bundle)[1]))


def test_a_damaged_file_is_passed_over(browser: Chromium, damaged: Path, bundle: Path) -> None:
    artifact = damaged / "artifacts/tflite-w8-64x64.tflite"
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"?")
    with serve(damaged) as address:
        page = opened(phone(browser), address)
        assert "tflite-w8-64x64.tflite is damaged" in attempts(page)
        assert "with threads, fp32" in text(page, "status")
        until(lambda: shown(page), near(golden(bundle)[1]))


def test_a_wrong_picture_is_passed_over(browser: Chromium, damaged: Path) -> None:
    about = json.loads((damaged / "filter.json").read_text())
    for artifact in about["artifacts"]:
        artifact["min_psnr"] = 45 if artifact["precision"] == "fp32" else 998
    (damaged / "filter.json").write_text(json.dumps(about))
    with serve(damaged) as address:
        page = opened(phone(browser), address)
        assert "a wrong picture" in attempts(page)
        assert "fp32" in text(page, "status")


def test_a_runtime_that_does_not_start_is_passed_over(browser: Chromium, damaged: Path, bundle: Path) -> None:
    """Firefox's threads do so now and then: the worker stands still."""
    (damaged / "runtime/litert_wasm_threaded_internal.js").write_text("for (;;);")
    player = (damaged / "player.js").read_text()
    assert "START_WITHIN_MS = 10000" in player
    (damaged / "player.js").write_text(player.replace("START_WITHIN_MS = 10000", "START_WITHIN_MS = 300"))
    with serve(damaged) as address:
        page = opened(phone(browser), address)
        assert attempts(page).count("its runtime does not start") == 1
        assert "one thread" in text(page, "status")
        until(lambda: shown(page), near(golden(bundle)[1]))


def test_what_cannot_be_shown_is_said(browser: Chromium, damaged: Path) -> None:
    for artifact in (damaged / "artifacts").iterdir():
        artifact.write_bytes(b"no flatbuffer")
    with serve(damaged) as address:
        page = opened(phone(browser), address)
        assert "no backend of this browser plays the filter" in text(page, "problem")
        assert page.evaluate("document.getElementById('poster').naturalWidth") == 64


def test_a_full_storage_costs_only_the_offline_use(browser: Chromium, bundle: Path) -> None:
    with serve(bundle / "web") as address:
        page = phone(browser)
        page.call("Storage.overrideQuotaForOrigin", origin=address.rstrip("/"), quotaSize=1000)
        opened(page, address)
        assert "with threads" in text(page, "status")
        assert "Not kept for offline use" in attempts(page)


def test_a_browser_without_the_folder_says_so(browser: Chromium, damaged: Path) -> None:
    (damaged / "filter.json").unlink()
    with serve(damaged) as address:
        assert "filter.json is not there: 404" in text(opened(phone(browser), address), "problem")
