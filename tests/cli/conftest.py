"""What several commands are tested on."""

from pathlib import Path

import pytest

import pocketlens
from pocketlens.converters import graph as hub
from pocketlens.recipe import Recipe
from tests.generators import seeded, small_graph

RECIPE = """
[filter]
name = "small"
sizes = [[32, 48]]
license = "MIT"
[accelerators]
litert_gpu = "off"
[targets]
onnx = ["fp32"]
tflite = ["fp16"]
[budget]
frame_ms = 10000
"""


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "small.bundle"
    pocketlens.build(Recipe.parse(RECIPE), path, generator=seeded(), bench=False)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generator as ``.onnx``, of 32 x 48."""
    path = tmp_path_factory.mktemp("cli") / "mine.onnx"
    hub.save(small_graph(), path)
    return path
