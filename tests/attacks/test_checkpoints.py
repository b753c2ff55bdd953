"""Checkpoints made to run a program: none is, wherever in the file it hides; and the cheap claims that lie about
sizes.
"""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens.errors import InputError
from pocketlens.models import weights

TENSORS = {"a.weight": torch.ones(2, 2), "a.bias": torch.zeros(2)}


class _Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (_touch, (str(self.proof),))


def _touch(path: str) -> dict[str, torch.Tensor]:
    Path(path).write_text("executed")
    return dict(TENSORS)


def _inside_zip(payload: bytes, name: str) -> bytes:
    """A checkpoint of today's format with one of its members exchanged, or one more."""
    whole, packed = io.BytesIO(), io.BytesIO()
    torch.save(TENSORS, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(packed, "w") as new:
        top = old.namelist()[0].split("/")[0]
        for member in old.namelist():
            if member != f"{top}/{name}":
                new.writestr(member, old.read(member))
        new.writestr(f"{top}/{name}", payload)
    return packed.getvalue()


def _object_array(payload: object) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, a=np.array([payload, None], dtype=object))
    return packed.getvalue()


def _saved(value: object, *, old: bool = False) -> bytes:
    packed = io.BytesIO()
    torch.save(value, packed, _use_new_zipfile_serialization=not old)
    return packed.getvalue()


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".npz", ".safetensors"])
@pytest.mark.parametrize(
    "way",
    [
        "bare pickle", "protocol 0", "new format", "old format", "nested dict",
        "data.pkl", "two data.pkl", "object array", "zip in a zip", "constants.pkl",
    ],
)  # fmt: skip
def test_payloads_are_not_run(tmp_path: Path, suffix: str, way: str) -> None:
    proof, payload = tmp_path / "proof", _Payload(tmp_path / "proof")
    made = {
        "bare pickle": lambda: pickle.dumps(payload),
        "protocol 0": lambda: pickle.dumps(payload, protocol=0),
        "new format": lambda: _saved(payload),
        "old format": lambda: _saved(payload, old=True),
        "nested dict": lambda: _saved({"epoch": 3, "state_dict": {**TENSORS, "x": {"y": [payload]}}}),
        "data.pkl": lambda: _inside_zip(pickle.dumps(payload), "data.pkl"),
        "two data.pkl": lambda: _twice(pickle.dumps(payload)),
        "object array": lambda: _object_array(payload),
        "zip in a zip": lambda: _inside_zip(_saved(payload), "data/0"),
        "constants.pkl": lambda: _inside_zip(pickle.dumps(payload), "constants.pkl"),
    }[way]()
    path = tmp_path / f"w{suffix}"
    path.write_bytes(made)
    try:
        found = weights.read(path)
    except InputError as error:
        assert str(path) in str(error) and error.do
    else:  # the payload lay where nothing is unpickled: then it is bytes of a tensor, or ignored
        assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())
    assert not proof.exists(), "it was executed"


def _twice(payload: bytes) -> bytes:
    whole = io.BytesIO(_saved(TENSORS))
    with zipfile.ZipFile(whole, "a") as archive:
        top = archive.namelist()[0].split("/")[0]
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(f"{top}/data.pkl", payload)
    return whole.getvalue()


def test_the_payload_itself_works(tmp_path: Path) -> None:
    """So that the tests above prove something."""
    pickle.loads(pickle.dumps(_Payload(tmp_path / "proof")))
    assert (tmp_path / "proof").exists()


@pytest.mark.parametrize("length", [2**63, 2**40, 10**9])
def test_a_safetensors_header_that_claims_more_than_the_file(tmp_path: Path, length: int) -> None:
    (tmp_path / "w.safetensors").write_bytes(min(length, 2**64 - 1).to_bytes(8, "little") + b"{}")
    with pytest.raises(InputError, match="cannot be read"):
        weights.read(tmp_path / "w.safetensors")


@pytest.mark.parametrize("offsets", ["[0,4000000000]", "[-4,0]", "[4,0]", "[0,3]"])
def test_safetensors_offsets_outside_the_file(tmp_path: Path, offsets: str) -> None:
    head = f'{{"a":{{"dtype":"F32","shape":[1],"data_offsets":{offsets}}}}}'.encode()
    (tmp_path / "w.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))
    with pytest.raises(InputError, match="cannot be read"):
        weights.read(tmp_path / "w.safetensors")
