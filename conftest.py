"""For every test: a cache of its own. For the examples in docstrings: a folder with a recipe, its bundle and a
picture.
"""

from pathlib import Path

import pytest
from _pytest.doctest import DoctestItem
from hypothesis import settings

settings.register_profile("pocketlens", deadline=None)  # no test is timed: a busy machine is not a fault
settings.load_profile("pocketlens")

RECIPE = """
[filter]
name = "wave"
source = "wave.onnx"
sizes = [[32, 48]]
input_range = [-1, 1]
output_range = [-1, 1]
license = "MIT"
[targets]
onnx = ["fp16"]
tflite = ["fp16"]
"""


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that a user has cached may decide a test, and no test may fill a user's cache."""
    import os

    os.environ["POCKETLENS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once, and only when a docstring is run."""
    import torch

    import pocketlens
    from tests.generators import seeded

    folder = tmp_path_factory.mktemp("examples")
    torch.onnx.export(seeded(), (torch.zeros(1, 3, 32, 48),), str(folder / "wave.onnx"), dynamo=True, verbose=False)
    (folder / "wave.toml").write_text(RECIPE)
    pocketlens.build(folder / "wave.toml", folder / "wave.bundle", bench=False)
    return folder


@pytest.fixture(autouse=True)
def _in_the_example_folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(request.node, DoctestItem):
        return
    from tests.generators import picture

    monkeypatch.chdir(request.getfixturevalue("example_folder"))
    request.getfixturevalue("doctest_namespace")["picture"] = picture(32, 48)
