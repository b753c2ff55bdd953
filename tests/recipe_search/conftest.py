"""A teacher of a few thousand weights, a recipe that searches around it, and one search that several tests look at."""

import fcntl
import os
import pickle
from pathlib import Path

import pytest

from pocketlens.recipe_search import trial
from pocketlens.recipe_search.command import SearchResult, search
from pocketlens.recipe_search.latency import QUICK

RECIPE = """
[filter]
name = "tiny"
source = "t.safetensors"
sizes = [[32, 32]]
[targets]
onnx = ["fp32"]
[compress]
pictures = 8
[search]
students = ["pocket"]
width = [8, 16]
half_res_channels = [4, 4]
blocks = [1, 1]
steps = [40, 60]
first_rung = 20
threads = [1]
[accelerators]
litert_gpu = "off"
"""


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """The recipe beside its teacher."""
    import torch

    from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
    from pocketlens.models.pocket import Pocket

    pytest.importorskip("optuna", reason="pip install 'pocketlens[search]'")
    torch.manual_seed(0)
    arguments = {"channels": 16, "blocks": 1, "instance_norm": 1}
    save_checkpoint(Pocket(**arguments), folder / "t.safetensors", CheckpointMetadata("pocket", arguments))
    (folder / "tiny.toml").write_text(text)
    return folder / "tiny.toml"


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    """A search of four trials; pytest's workers share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "searched"
    folder.mkdir(exist_ok=True)
    result = folder / "result.pickle"
    with (folder / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patched:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            patched.setattr(trial, "MEASURED", QUICK)
            found = search(write_recipe(folder), folder / "out", fps=2.0, trials=4, threads=1)
            result.write_bytes(pickle.dumps(found))
        return pickle.loads(result.read_bytes())


@pytest.fixture(autouse=True)
def quick_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here is that files are measured, not how long they take."""
    monkeypatch.setattr(trial, "MEASURED", QUICK)
