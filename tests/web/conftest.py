"""Pages of a small filter and of a small pack, and a browser that stays open for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import pocketlens
from pocketlens import images
from pocketlens.errors import MissingError
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
from pocketlens.recipe import Recipe
from pocketlens.web import chromium
from pocketlens.web.chromium import Chromium
from tests.generators import seeded
from tests.pipeline.test_packs import STYLES, WIDE, tiny
from tests.web.camera import FACE, write_clip

RECIPE = """
[filter]
name = "small"
description = "Soft <edges>."
sizes = [[64, 64]]
license = "MIT"
[targets]
onnx = ["fp32"]
tflite = ["fp32", "fp16", "w8"]
[accelerators]
web_wasm = "off"
web_webgpu = "off"
litert_gpu = "off"
[bundle]
web = true
"""

PACK = """
[filter]
name = "tiny"
source = "tiny.safetensors"
architecture = "pocket"
sizes = [[64, 64]]
[targets]
tflite = ["fp32"]
[accelerators]
litert_gpu = "off"
[bundle]
web = true
"""


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one style, with its page."""
    path = tmp_path_factory.mktemp("web") / "small.bundle"
    pocketlens.build(Recipe.parse(RECIPE), path, generator=seeded(), bench=False)
    return path


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a pack, in its bundle; the browser's backends were asked when it was built."""
    folder = tmp_path_factory.mktemp("pack")
    about = CheckpointMetadata("pocket", {**WIDE, "styles": len(STYLES)}, styles=STYLES)
    save_checkpoint(tiny(), folder / "tiny.safetensors", about)
    (folder / "tiny.toml").write_text(PACK)
    pocketlens.build(folder / "tiny.toml", folder / "tiny.bundle", bench=False)
    return folder / "tiny.bundle/web"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera's clip: one portrait that stays still."""
    path = tmp_path_factory.mktemp("camera") / "face.y4m"
    write_clip(images.read(FACE), path)
    return path


def pages_of(browser: Chromium) -> set[str]:
    """The identities of all that is open."""
    return {info["targetId"] for info in browser.call("Target.getTargets")["targetInfos"] if info["type"] == "page"}


@pytest.fixture
def browser(opened_browser: Chromium) -> Iterator[Chromium]:
    """The browser; the pages that a test opened are closed after it, or they would go on to play beside the others."""
    before = pages_of(opened_browser)
    yield opened_browser
    for page in pages_of(opened_browser) - before:
        opened_browser.call("Target.closeTarget", targetId=page)


@pytest.fixture(scope="session")
def opened_browser(clip: Path) -> Iterator[Chromium]:
    """Headless Chromium with a camera; a page asks for it as on a phone, and tests answer."""
    try:
        with chromium.start(
            ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={clip}")
        ) as started:
            yield started
    except MissingError as error:
        pytest.skip(f"{error.what}: {error.do}")
