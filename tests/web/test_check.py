"""The page's own check, in headless Chromium: its pictures are the teacher's."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from pocketlens import images, quality
from pocketlens.accelerators import Request, place
from pocketlens.bundle.read import open_bundle
from pocketlens.errors import MissingError
from pocketlens.web import check, chromium
from pocketlens.web.chromium import BrowserError
from pocketlens.web.folder import NAME
from tests.generators import picture


@pytest.fixture(autouse=True)
def _browser_is_here() -> None:
    try:
        chromium.find()
    except MissingError as error:
        pytest.skip(f"{error.what}: {error.do}")


def test_every_file_plays_in_webassembly(bundle: Path) -> None:
    results = check.check_folder(bundle / "web", "wasm")
    played = {(result.backend, result.artifact) for result in results}
    assert played == {
        (backend, f"tflite-{precision}-64x64")
        for backend in ("threads", "compat")
        for precision in ("fp32", "fp16", "w8")
    }
    expected = [images.read(path) for path in sorted((bundle / "golden").glob("out_*.png"))]
    for result in results:
        assert result.refused == "" and result.threads == (
            1 if result.backend == "compat" else min(4, os.cpu_count() or 1)
        )
        assert len(result.outputs) == len(expected)
        for output, teacher in zip(result.outputs, expected, strict=True):
            assert output.dtype == np.float32 and quality.psnr(teacher, images.to_uint8(output)) > 40
    assert all(result.whole for result in results if "fp32" in result.artifact)


def test_a_file_is_placed_on_webgpu(bundle: Path) -> None:
    photograph, teacher = (images.read(bundle / f"golden/{name}_00_64x64.png") for name in ("in", "out"))
    path = bundle / "artifacts/tflite-fp16-64x64.tflite"
    placement = place("web-webgpu", Request(path, photograph), teacher.astype(np.float32), 40)
    assert placement.status == "whole" and placement.psnr is not None and placement.psnr > 45
    assert "LiteRT.js" in placement.engine and "Chromium" in placement.engine
    other = place("web-wasm", Request(path, photograph), 255 - teacher.astype(np.float32), 40)
    assert other.status == "refused" and "another picture" in other.reason


def test_the_bundles_own_page_of_text_names_it(bundle: Path) -> None:
    text = (bundle / "README.md").read_text("utf-8")
    assert "## In a browser" in text and "python3 -m http.server -d web" in text


def test_styles_are_given_as_weights(pack: Path) -> None:
    about = json.loads((pack / NAME).read_text())
    chalk = next(golden for golden in about["golden"] if golden["style"] == "chalk")
    artifact = pack / about["artifacts"][0]["path"]
    played = check.play_file(artifact, images.read(pack / chalk["picture"]), (0.0, 0.0, 1.0), backend="compat")
    assert quality.psnr(images.read(pack / chalk["expected"]), images.to_uint8(played.outputs[0])) > 45


def test_a_build_with_a_page_asks_the_browser(pack: Path) -> None:
    with open_bundle(pack.parent) as opened:
        (artifact,) = opened.manifest.artifacts
    placements = {placement.accelerator: placement for placement in artifact.placements}
    assert {"web-wasm", "web-webgpu"} <= set(placements)
    for name in ("web-wasm", "web-webgpu"):
        assert placements[name].status == "whole" and (placements[name].psnr or 0) > 60, placements[name]


def test_a_runtime_that_does_not_start_says_nothing_of_the_file(bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bundle / "web", tmp_path / "web"))
    (folder / "runtime/litert_wasm_threaded_internal.js").write_text("for (;;);")
    player = folder / "player.js"
    player.write_text(player.read_text().replace("START_WITHIN_MS = 10000", "START_WITHIN_MS = 300"))
    with pytest.raises(BrowserError, match="its runtime does not start"):
        check.check_folder(folder, "threads")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"no flatbuffer")
    assert check.play_file(tmp_path / "x.tflite", picture(64, 64), backend="compat").refused
    placement = place("web-wasm", Request(tmp_path / "x.tflite", picture(64, 64)))
    assert placement.status == "refused" and placement.reason


def test_no_browser_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    placement = place("web-wasm", Request(tmp_path / "x.tflite"))
    assert placement.status == "unchecked" and "apt-get install chromium" in placement.reason


def test_a_browser_that_ends_is_said() -> None:
    with chromium.start() as browser:
        page = browser.page()
        with pytest.raises(BrowserError, match="undefined_thing is not defined"):
            page.evaluate("undefined_thing")
        with pytest.raises(BrowserError, match=r"refuses No\.such"):
            browser.call("No.such")
        with pytest.raises(BrowserError, match="has ended"):
            browser.call("Browser.crash")
