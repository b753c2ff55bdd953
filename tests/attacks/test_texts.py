"""Numbers, texts and nestings that no author writes: every reader refuses them in few words, within seconds."""

import io
import json
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens.bench.document import Document
from pocketlens.bundle import manifest
from pocketlens.errors import InputError
from pocketlens.models import weights
from pocketlens.models.checkpoint_metadata import read_metadata
from pocketlens.recipe import Recipe

WORDS = {"deep": "[" * 2_000 + "]" * 2_000, "digits": "9" * 5_000, "surrogate": '"\\ud800"'}


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < 5


def _safetensors(header: str, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header.encode() + data


def _npz(header: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header.encode())
    return packed.getvalue()


def _read(reader: str, word: str, path: Path) -> None:
    entry = '"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    if reader == "document":
        path.write_text(f'{{"schema": "1.0", "cases": {word}}}')
        Document.read(path)
    elif reader == "manifest":
        manifest.parse(f'{{"schema": {word}}}')
    elif reader == "recipe":
        Recipe.parse(f"[filter]\nname = {word}")
    elif reader == "npz":
        path.write_bytes(_npz(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({word},)}}\n"))
        weights.read(path)
    elif reader == "safetensors":
        path.write_bytes(_safetensors(f'{{"a": {{"dtype": "F32", "shape": [{word}], "data_offsets": [0, 4]}}}}'))
        weights.read(path)
    else:
        note = json.dumps({"pocketlens": f'{{"architecture": {word}}}'})
        path.write_bytes(_safetensors(f'{{"__metadata__": {note}, {entry}}}', b"1234"))
        read_metadata(path)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("reader", ["document", "manifest", "recipe", "npz", "safetensors", "metadata"])
def test_refused_in_few_words(reader: str, word: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{reader if reader == 'npz' else 'safetensors'}"
    with pytest.raises(InputError) as refused:
        _read(reader, WORDS[word], path)
    assert len(str(refused.value)) < 600 + len(str(path)) * 2


@pytest.mark.parametrize("suffix", weights.SUFFIXES)
def test_more_tensors_than_a_generator_has(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MAX_TENSORS", 20)
    path, arrays = tmp_path / f"many{suffix}", {f"k{i}": np.zeros(1, np.float32) for i in range(21)}
    if suffix == ".npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    elif suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file(arrays, path)
    else:
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    with pytest.raises(InputError, match="holds 21 tensors, more than 20"):
        weights.read(path)
