import io
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pocketlens.errors import InputError
from pocketlens.models import weights
from tests.conftest import ROOT

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.steps": torch.tensor(3)}


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.target,)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def save(path: Path) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in STATE.items()})
    elif path.suffix == ".safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path)
    return path


@pytest.mark.parametrize("suffix", weights.SUFFIXES)
def test_every_kind_gives_the_same_tensors(tmp_path: Path, suffix: str) -> None:
    state = weights.read(save(tmp_path / f"x{suffix}"))
    assert set(state) == set(STATE)
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {f"module.{name}": tensor for name, tensor in s.items()},
        lambda s: {"model": {"state_dict": {f"module._orig_mod.{name}": t for name, t in s.items()}}},
    ],
)
def test_wrapped_state_dicts_are_found(tmp_path: Path, wrap: Callable[[object], object]) -> None:
    torch.save(wrap(STATE), tmp_path / "x.pt")
    assert set(weights.read(tmp_path / "x.pt")) == set(STATE)


def test_old_torch_format_is_read(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    assert set(weights.read(tmp_path / "x.pth")) == set(STATE)


def test_big_endian_and_column_order_arrays_are_read(tmp_path: Path) -> None:
    values = np.arange(6, dtype=">f4").reshape(2, 3)
    np.savez_compressed(tmp_path / "x.npz", big=values, columns=np.asfortranarray(values.astype("<f8")))
    state = weights.read(tmp_path / "x.npz")
    assert state["big"].tolist() == state["columns"].tolist() == values.tolist()


@pytest.mark.parametrize("where", ["tensor beside it", "alone", "in a state dict", "old format", "bare pickle"])
def test_a_pickle_payload_is_refused_and_not_run(tmp_path: Path, where: str) -> None:
    trace, path = tmp_path / "trace", tmp_path / "x.pt"
    bomb = Bomb(trace)
    if where == "bare pickle":
        path.write_bytes(pickle.dumps(bomb))
    else:
        held = {"alone": bomb, "in a state dict": {"state_dict": {**STATE, "b": bomb}}}.get(where, {**STATE, "b": bomb})
        torch.save(held, path, _use_new_zipfile_serialization=where != "old format")
    with pytest.raises(InputError, match="pickled Python objects") as error:
        weights.read(path)
    assert "safetensors" in error.value.do
    assert not trace.exists()
    # The payload is real: whoever does load it runs it.
    if where != "bare pickle":
        torch.load(path, weights_only=False)
        assert trace.exists()


def test_an_array_is_in_memory_once(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(100_000_000, np.float32))
    script = (
        "import resource, sys; from pathlib import Path; from pocketlens.models import weights; "
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak(); "
        "weights.read(Path(sys.argv[1])); print((peak() - before) // 1000)"
    )
    line = [sys.executable, "-c", script, str(tmp_path / "x.npz")]
    grown_mb = int(subprocess.run(line, capture_output=True, check=True, cwd=ROOT).stdout)
    assert grown_mb < 550, "of 400 MB"


def test_a_pickle_payload_in_an_npz_is_refused_and_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([Bomb(tmp_path / "trace")], dtype=object))
    with pytest.raises(InputError, match="pickled Python objects"):
        weights.read(tmp_path / "x.npz")
    assert not (tmp_path / "trace").exists()


def test_torchscript_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), tmp_path / "x.pt")
    with pytest.raises(InputError, match="TorchScript"):
        weights.read(tmp_path / "x.pt")


@pytest.mark.parametrize("suffix", weights.SUFFIXES)
@pytest.mark.parametrize("part", [0.5, 0.95])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, part: float) -> None:
    path = save(tmp_path / f"x{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(InputError, match=str(path)):
        weights.read(path)


@pytest.mark.parametrize("suffix", weights.SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"\x00", b"not a checkpoint at all\n", bytes(range(256)) * 40, b"PK\x03\x04"])
def test_files_of_something_else_are_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\."):
        weights.read(path)


@pytest.mark.parametrize("suffix", weights.SUFFIXES)
def test_damaged_files_give_an_error_or_tensors(tmp_path: Path, suffix: str) -> None:
    whole = save(tmp_path / f"x{suffix}").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=4):
            damaged[place] = random.integers(256)
        (tmp_path / f"y{suffix}").write_bytes(damaged)
        try:
            weights.read(tmp_path / f"y{suffix}")
        except InputError:
            continue


def test_absent_folders_and_unknown_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        weights.read(tmp_path / "x.npz")
    with pytest.raises(InputError, match=r"ends in '\.ckpt', expected \.npz"):
        weights.read(tmp_path / "x.ckpt")
    (tmp_path / "y.npz").mkdir()
    with pytest.raises(InputError, match="not a file"):
        weights.read(tmp_path / "y.npz")


def test_an_npz_that_unpacks_to_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    # 3 GB of zeros in 3 MB would take minutes; the directory alone is forged to declare them.
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.zeros(10, np.float32)))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 3_000_000_000)
    path.write_bytes(data)
    with pytest.raises(InputError, match="unpacks to 3,000,000,000 bytes"):
        weights.read(path)


def test_an_npz_header_that_declares_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    header = npy(np.zeros(10, np.float32)).replace(b"(10,), }            ", b"(99999999999999,), }")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", header)
    with pytest.raises(InputError, match=r"'a.npy' declares 399,999,999,999,996 bytes and holds 40"):
        weights.read(tmp_path / "x.npz")


def test_a_real_zip_bomb_is_stopped_by_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MAX_BYTES", 1_000_000)
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(1_000_000, np.float32))
    assert (tmp_path / "x.npz").stat().st_size < 10_000
    with pytest.raises(InputError, match="unpacks to 4,000,128 bytes"):
        weights.read(tmp_path / "x.npz")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "x.safetensors").open("wb") as stream:
        stream.truncate(weights.MAX_BYTES + 1)  # sparse: it takes no room
    with pytest.raises(InputError, match="holds 2,000,000,001 bytes"):
        weights.read(tmp_path / "x.safetensors")


def test_a_view_that_repeats_one_value_a_trillion_times_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(10**12)}, tmp_path / "x.pt")
    assert (tmp_path / "x.pt").stat().st_size < 10_000
    with pytest.raises(InputError, match="unpacks to 4,000,000,000,000 bytes"):
        weights.read(tmp_path / "x.pt")


def test_many_views_of_one_value_are_refused_together(tmp_path: Path) -> None:
    view = torch.zeros(1).expand(3 * 10**8)
    torch.save({"a": view, "b": view}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="2,400,000,000 bytes"):
        weights.read(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (torch.zeros(3), "holds a Tensor, expected a state dict"),
        ({"a": torch.zeros(3), "lr": 0.1}, r"1 things that are no tensors \('lr'\)"),
        ({}, "holds no tensors"),
        ({"a": torch.zeros(3).to_sparse()}, "'a' is no dense tensor"),
        ({"a": torch.zeros(3, device="meta")}, "'a' is no dense tensor"),
    ],
)
def test_things_that_are_no_state_dict_are_refused(tmp_path: Path, held: object, message: str) -> None:
    torch.save(held, tmp_path / "x.pt")
    with pytest.raises(InputError, match=message):
        weights.read(tmp_path / "x.pt")


def test_text_in_an_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array(["words"]))
    with pytest.raises(InputError, match=r"'a\.npy' is <U5, expected numbers"):
        weights.read(tmp_path / "x.npz")
