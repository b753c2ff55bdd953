"""Entries of the cache on their way between machines."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pocketlens import files
from pocketlens.recipe_search.transport import pack, unpack


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def use(name: str) -> None:
        monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / name))

    use("here")
    return use


def state(folder: Path, step: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"x": np.zeros(1)}, folder / "training.safetensors", {"facts": json.dumps({"step": step})})


def test_an_entry_arrives_as_it_was(caches) -> None:
    key = files.key_of(a=1)

    def make(folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.bin").write_bytes(b"abc")

    files.cached("things", key, make)
    data = pack(f"things/{key}")
    assert data is not None
    assert pack(f"things/{key}") == data
    caches("there")
    assert pack(f"things/{key}") is None
    unpack(f"things/{key}", data)
    entry = files.lookup("things", key)
    assert entry is not None
    assert (entry / "inner" / "a.bin").read_bytes() == b"abc"


def test_a_training_never_goes_back(caches) -> None:
    entry, place = "training/abc", files.cache_folder() / "training" / "abc"
    state(place, 100)
    data = pack(entry)
    assert data is not None
    state(place, 200)
    further = (place / "training.safetensors").read_bytes()
    unpack(entry, data)
    assert (place / "training.safetensors").read_bytes() == further
    caches("there")
    unpack(entry, data)
    assert pack(entry) == data
