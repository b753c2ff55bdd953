"""Named tensors out of a stranger's file: ``.npz``, ``.safetensors``, ``.pt`` and ``.pth``. Nothing in a file is
executed.

Every size that a file declares is checked against :data:`MAX_BYTES` before anything of that size is read.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from pocketlens.errors import InputError

StateDict = dict[str, torch.Tensor]

MAX_BYTES = 2_000_000_000
"""The largest checkpoint that is read, in bytes, on disk and unpacked."""
MAX_TENSORS = 20_000
"""Most tensors of a checkpoint; generators have some hundreds, with the state of their optimizer some thousands."""
_PART_BYTES = 1 << 24
"""How much of an array is unpacked at a time."""
_LONGEST_REASON = 200
"""Characters of what a reader says: numpy quotes a whole header."""

# The running average of the weights is what a training shows its pictures with, so it comes before the weights
# themselves.
_AVERAGES = ("params_ema", "g_ema", "generator_ema", "model_ema", "ema_model", "state_dict_ema", "ema", "shadow")
_WRAPPERS = (*_AVERAGES, "state_dict", "model_state_dict", "model", "generator", "netG", "params")
_PREFIXES = ("module.", "_orig_mod.")
_PICKLE = b"\x80"
"""What torch's files from before they were archives begin with."""
_COUNTER = "n_averaged"
_PICKLED = (
    "it holds pickled Python objects, which can run any program when they are loaded, so it was not loaded. "
    "Where you trust it, load it with its author's code and save the weights alone"
)
_CONVERT = "from safetensors.torch import save_file; save_file(generator.state_dict(), 'weights.safetensors')"


def read(path: Path) -> StateDict:
    """Read every tensor of a checkpoint, by name, without the ``module.`` that DataParallel puts before names.

    Where a checkpoint holds a running average of the weights (EMA) beside them, or alone, the average is read.

    Raises:
        InputError: The file is absent, empty, too large, truncated, damaged, of another kind, or would execute code.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        suffix = f"ends in {path.suffix!r}" if path.suffix else "has no suffix"
        raise InputError(
            f"{path} {suffix}, expected {', '.join(_READERS)}", do="give a checkpoint of one of these kinds"
        )
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InputError(f"{path} is not a file", do="give the checkpoint itself")
        if size == 0:
            raise InputError(f"{path} is empty", do="download or export it again")
        _check_size(path, size, "holds")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about old formats; what is wrong with a file is raised below
            tensors = _without_prefix(reader(path))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", do="check the path") from error
    except InputError:
        raise
    # zipfile, numpy, torch and safetensors have no common base for what a damaged file can cause.
    except Exception as error:
        raise InputError(
            f"{path} cannot be read: {_reason(error)}", do="it is damaged or no checkpoint; get it again"
        ) from error
    if not tensors:
        raise InputError(f"{path} holds no tensors", do="save the generator's state_dict()")
    return tensors


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError | MemoryError):  # Python's parser says MemoryError of deep nesting
        return "it is nested too deep"
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return first if len(first) <= _LONGEST_REASON else f"{first[:_LONGEST_REASON]}…"


def _check_count(path: Path, count: int) -> None:
    if count > MAX_TENSORS:
        raise InputError(f"{path} holds {count:,} tensors, more than {MAX_TENSORS:,}", do=_CONVERT)


def _check_size(path: Path, size: int, verb: str) -> None:
    if size > MAX_BYTES:
        raise InputError(f"{path} {verb} {size:,} bytes, more than {MAX_BYTES:,}", do="give a smaller checkpoint")


def _read_npz(path: Path) -> StateDict:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_count(path, len(members))
        _check_size(path, sum(m.file_size for m in members), "unpacks to")
        arrays: StateDict = {}
        for member in members:
            with archive.open(member) as stream:
                arrays[member.filename.removesuffix(".npy")] = _read_npy(path, member, stream)
        return arrays


def _read_npy(path: Path, member: zipfile.ZipInfo, stream: IO[bytes]) -> torch.Tensor:
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_column, dtype = header(stream)
    if dtype.hasobject:
        raise InputError(f"{path}: {member.filename!r} {_PICKLED.removeprefix('it ')}", do="np.savez arrays of numbers")
    declared, held = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
    if declared != held:
        raise InputError(
            f"{path}: {member.filename!r} declares {declared:,} bytes and holds {held:,}", do="get the file again"
        )
    if dtype.kind not in "fiub":
        raise InputError(f"{path}: {member.filename!r} is {dtype}, expected numbers", do="check the file")
    data, filled = np.empty(declared, np.uint8), 0
    while part := stream.read(_PART_BYTES):  # the values are in memory once, not twice
        data[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
        filled += len(part)
    if filled < declared:
        raise EOFError(f"{member.filename!r} ends after {filled:,} of {declared:,} bytes")
    values = data.view(dtype).reshape(shape, order="F" if by_column else "C")
    return torch.from_numpy(values.astype(dtype.newbyteorder("="), order="C", copy=False))


def _read_safetensors(path: Path) -> StateDict:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as archive:
        names = sorted(archive.keys())
        _check_count(path, len(names))
        return {name: archive.get_tensor(name) for name in names}


def _read_torch(path: Path) -> StateDict:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _check_size(path, sum(m.file_size for m in archive.infolist()), "unpacks to")
            if any(Path(m.filename).name == "constants.pkl" for m in archive.infolist()):
                raise InputError(f"{path} is TorchScript, which is a program", do=_CONVERT)
    else:
        with path.open("rb") as file:
            if file.read(1) != _PICKLE:
                raise InputError(f"{path} is no checkpoint of torch, whatever its name says", do="get the file again")
    from pickle import UnpicklingError

    try:
        loaded = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        if "weights_only" not in str(error) and "Unsupported" not in str(error):
            raise
        raise InputError(f"{path}: {_PICKLED}", do=_CONVERT) from error
    return _tensors_in(path, loaded)


def _tensors_in(path: Path, loaded: Any) -> StateDict:
    """The state dict in what ``torch.load`` gave: at the top, or under one of the usual names."""
    if not isinstance(loaded, Mapping):
        raise InputError(f"{path} holds a {type(loaded).__name__}, expected a state dict", do=_CONVERT)
    wrapped = [name for name in _WRAPPERS if isinstance(loaded.get(name), Mapping)]
    if wrapped:
        # What some trainings keep as "ema" is only the rate of an average.
        chosen = next((name for name in wrapped if _holds_tensors(loaded[name], set())), wrapped[0])
        return _tensors_in(path, loaded[chosen])
    _check_count(path, len(loaded))
    others = [str(name) for name, value in loaded.items() if not isinstance(value, torch.Tensor)]
    if others:
        some = ", ".join(map(repr, others[:5]))
        raise InputError(
            f"{path} holds {len(others)} things that are no tensors ({some}) and no 'state_dict'", do=_CONVERT
        )
    # A view can repeat a few stored bytes into a tensor of any size, and a meta tensor stores none at all.
    _check_size(path, sum(tensor.numel() * tensor.element_size() for tensor in loaded.values()), "unpacks to")
    for name, tensor in loaded.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise InputError(f"{path}: {name!r} is no dense tensor", do="save the state dict of the float generator")
    return {str(name): tensor.detach() for name, tensor in loaded.items()}


def _holds_tensors(mapping: Any, seen: set[int]) -> bool:
    """Whether this is a state dict, or holds one under a usual name; each dict is looked at once, as it may hold
    itself.
    """
    if not isinstance(mapping, Mapping) or id(mapping) in seen:
        return False
    seen.add(id(mapping))
    return any(isinstance(value, torch.Tensor) for value in mapping.values()) or any(
        _holds_tensors(mapping.get(name), seen) for name in _WRAPPERS
    )


def _without_prefix(state: StateDict) -> StateDict:
    """Take the average where one is there by its prefix, and drop prefixes and the counter of torch's AveragedModel."""
    for name in _AVERAGES:
        average = {n.removeprefix(f"{name}."): tensor for n, tensor in state.items() if n.startswith(f"{name}.")}
        if average:
            return _without_prefix(average)
    if _COUNTER in state and len(state) > 1:
        return _without_prefix({name: tensor for name, tensor in state.items() if name != _COUNTER})
    for prefix in _PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return _without_prefix({name.removeprefix(prefix): tensor for name, tensor in state.items()})
    return state


_READERS: dict[str, Callable[[Path], StateDict]] = {
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".pt": _read_torch,
    ".pth": _read_torch,
}
SUFFIXES = tuple(_READERS)
"""The kinds of checkpoint that can be read."""
