"""Which architecture a checkpoint is of: its names and shapes, beside those that each architecture's module holds.

A checkpoint that is none of an architecture's variants may be one of another depth, which its names show, and of other
widths, which its shapes show. Modules are looked at on torch's meta device, without weights: comparing with all takes a
moment.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models import weights, zoo
from pocketlens.models.checkpoint_metadata import largest
from pocketlens.models.resize_layers import resize_layers
from pocketlens.models.weights import StateDict

_LISTED = 4
"""How many names an error lists before it counts the rest."""
_NEAR = 0.5
"""The similarity from which on a checkpoint is said to fit nearly."""
_BY_NAME = 0.9
"""The similarity of a checkpoint whose names all fit and whose shapes contradict each other: where only a few of them
are other ones than a usual variant's, that variant says which.
"""
_COUNTER = "num_batches_tracked"
_STATISTICS = ("running_mean", "running_var", _COUNTER)


class DepthReader(Protocol):
    """An architecture of any depth."""

    @staticmethod
    def arguments_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        """What its class is called with for the depth that a checkpoint's names and shapes show."""


class WeightConverter(Protocol):
    """An architecture whose authors' checkpoints have other names or layouts than its module."""

    @staticmethod
    def convert_weights(arrays: Mapping[str, NDArray[Any]]) -> StateDict:
        """Turn the authors' arrays into the module's state dict; InputError if they are some of theirs, and not all."""


@dataclass(frozen=True)
class CheckpointMatch:
    """How well a checkpoint fits one variant of an architecture.

    Attributes:
        architecture: The architecture.
        variant: One of its variants.
        problems: What does not fit, in words; empty if everything fits.
        matching: Number of tensors whose name and shape are right.
        total: Number of tensors that the variant has.
        similarity: From 0 to 1: the share of all names on either side that are right; one of another shape counts half.
        state: The checkpoint's tensors under the module's names.
        resized: Whether the depth is the checkpoint's own, and the widths are too.
    """

    architecture: zoo.Architecture
    variant: zoo.Variant
    problems: tuple[str, ...]
    matching: int
    total: int
    similarity: float
    state: StateDict = field(repr=False, compare=False)
    resized: bool = False

    def skeleton(self) -> nn.Module:
        """The module of the checkpoint's depth and widths, without memory for its weights.

        Raises:
            InputError: The widths contradict each other.
        """
        module = self.architecture.skeleton(self.variant)
        if self.resized:
            resize_layers(module, {name: tuple(tensor.shape) for name, tensor in self.state.items()})
        return module

    @property
    def label(self) -> str:
        """The architecture's name, with the variant's where there are several."""
        return f"{self.architecture.name} ({self.variant.name})" if self.variant.name else self.architecture.name


@dataclass(frozen=True)
class _Layout:
    shapes: Mapping[str, tuple[int, ...]]
    unused: frozenset[str]
    """Statistics that torch kept for instance norms until 0.4 and has not read in eval mode since."""


def best_match(tensors: StateDict, architecture: zoo.Architecture) -> CheckpointMatch:
    """The variant that a checkpoint fits best, or the one of its own depth and widths; see whether
    :attr:`CheckpointMatch.problems` is empty.
    """
    try:
        state = _converted(architecture, tensors)
    except InputError as error:
        total = len(_layout(architecture.name, 0).shapes)
        return CheckpointMatch(architecture, architecture.variants[0], (error.what,), 0, total, 0.0, {})
    layouts = [(variant, _layout(architecture.name, index)) for index, variant in enumerate(architecture.variants)]
    best = max((_compare(state, architecture, *layout) for layout in layouts), key=_fit)
    if not best.problems or not hasattr(architecture.generator_class(), "arguments_of"):
        return best
    return max(best, _own_size(state, architecture), key=_fit)


def _fit(match: CheckpointMatch) -> tuple[bool, float]:
    return not match.problems, match.similarity


def _own_size(state: StateDict, architecture: zoo.Architecture) -> CheckpointMatch:
    """A checkpoint as one of its own depth and widths."""
    arguments = cast(DepthReader, architecture.generator_class()).arguments_of(
        {name: tuple(tensor.shape) for name, tensor in state.items()}
    )
    arguments = {name: min(value, largest(name)) for name, value in arguments.items()}
    depths = [f"{name} = {arguments[name]}" for name in ("blocks", "halvings") if name in arguments]
    variant = zoo.Variant(", ".join([*depths, "widths of its own"]), arguments)
    match = _compare(state, architecture, variant, _layout_of(architecture.skeleton(variant)), by_name=True)
    if match.problems:
        return match
    match = replace(match, resized=True)
    try:
        match.skeleton()
    except InputError as error:
        return replace(match, problems=(error.what,), similarity=_BY_NAME)
    return match


def mismatch_error(path: Path, tensors: StateDict, match: CheckpointMatch) -> InputError:
    """What to tell the user of a checkpoint that does not fit the architecture that was asked for.

    Args:
        path: The checkpoint.
        tensors: What it holds.
        match: How it fits the architecture that was asked for; it has problems.
    """
    near = match.similarity >= _NEAR
    name = match.label if near else match.architecture.name
    counted = f"{match.matching} of its {match.total} tensors fit" if match.matching else "none of its tensors fits"
    if match.resized:
        counted = f"the names of its {match.total} tensors fit, their shapes contradict each other"
    reason = "; ".join(match.problems)
    article = "an" if name[0] in "aeiou" else "a"
    what = f"{path} is not {article} {name} checkpoint{', but nearly' if near else ''}: {counted}; {reason}"
    best = max((best_match(tensors, o) for o in zoo.ARCHITECTURES.values() if o != match.architecture), key=_fit)
    setting = f"set architecture = {best.architecture.name!r}"
    if not best.problems:
        do = f"it fits {best.label}: {setting}"
    elif best.similarity > max(match.similarity, _NEAR):
        do = f"it is closer to {best.label}, of which {best.matching} of {best.total} tensors fit: {setting}, and see"
    elif near:
        do = (
            "get the checkpoint again if it should fit; "
            "if its author changed the network, give that code as module:factory"
        )
    else:
        what += f"; {describe_tensors(tensors)}"
        do = f"it fits none that is known (pocketlens zoo): {_own_code(path)}"
    return InputError(what, do=do)


def unnamed_error(path: Path) -> InputError:
    """What to tell the user of a checkpoint whose architecture nobody named: the one that it fits, or what it holds.

    Raises:
        InputError: It cannot be read.
    """
    tensors = weights.read(path)
    best = max((best_match(tensors, architecture) for architecture in zoo.ARCHITECTURES.values()), key=_fit)
    what = f"{path} is a checkpoint and no architecture is given"
    if not best.problems:
        return InputError(what, do=f"it fits {best.label}: set architecture = {best.architecture.name!r}")
    if best.similarity >= _NEAR:
        near = f"it is close to {best.label}, of which {best.matching} of {best.total} tensors fit"
        return InputError(what, do=f"{near}: set architecture = {best.architecture.name!r}, and see")
    known = f"it fits none of {', '.join(sorted(zoo.ARCHITECTURES))}"
    return InputError(f"{what}; {describe_tensors(tensors)}", do=f"{known}: {_own_code(path)}")


def describe_tensors(tensors: StateDict) -> str:
    """How many tensors there are, under which prefixes, and the shapes of the first and the last.

    Example:
        >>> describe_tensors({"a.0.w": torch.zeros(8, 3), "a.1.w": torch.zeros(8), "b": torch.zeros(3)})
        'it holds 3 tensors: 2 under a, 1 under b; the first is a.0.w [8, 3], the last b [3]'
    """
    names = list(tensors)
    shared = _shared_parts(names)
    prefixes = Counter(".".join(name.split(".")[: shared + 1]) for name in names)
    groups = [f"{count} under {prefix}" for prefix, count in prefixes.most_common(_LISTED)]
    if len(prefixes) > _LISTED:
        groups.append(f"others under {len(prefixes) - _LISTED} more")
    ends = [f"{name} {list(tensors[name].shape)}" for name in (names[0], names[-1])]
    return f"it holds {len(names)} tensors: {', '.join(groups)}; the first is {ends[0]}, the last {ends[1]}"


def _shared_parts(names: list[str]) -> int:
    """How many parts all names begin with."""
    parts = [name.split(".") for name in names]
    return sum(1 for _ in takewhile(lambda at: len(set(at)) == 1, zip(*parts, strict=False)))


def _own_code(path: Path) -> str:
    """What to do with a generator whose code is not here."""
    return (
        "write a file such as net.py beside its author's code, and give net.py:make as the source. It holds: "
        f"def make(): net = Generator(); net.load_state_dict(torch.load({path.name!r}, weights_only=True)); return net"
    )


def _compare(
    state: StateDict, architecture: zoo.Architecture, variant: zoo.Variant, layout: _Layout, *, by_name: bool = False
) -> CheckpointMatch:
    expected = layout.shapes
    # A counter of batches decides nothing in eval mode: torch before 0.4.1 had none, and some norms save one in vain.
    state = {n: t for n, t in state.items() if n in expected or not (n in layout.unused or n.endswith(f".{_COUNTER}"))}
    missing = [name for name in expected if name not in state and not name.endswith(f".{_COUNTER}")]
    extra = [name for name in state if name not in expected]
    shapes = [
        f"{name} is {list(state[name].shape)} and should be {list(shape)}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape and not by_name
    ]
    problems = (
        *summarize_names("missing", missing),
        *summarize_names("too many", extra),
        *summarize_names("of another shape", shapes),
    )
    matching = sum(name in state for name in expected) - len(shapes)
    similarity = (matching + len(shapes) / 2) / len(state.keys() | expected.keys())
    return CheckpointMatch(architecture, variant, problems, matching, len(expected), similarity, state)


@cache
def _layout(name: str, index: int) -> _Layout:
    architecture = zoo.architecture(name)
    return _layout_of(architecture.skeleton(architecture.variants[index]))


def _layout_of(module: nn.Module) -> _Layout:
    norms = [n for n, m in module.named_modules() if isinstance(m, nn.InstanceNorm2d) and not m.track_running_stats]
    unused = frozenset(f"{norm}.{statistic}" for norm in norms for statistic in _STATISTICS)
    return _Layout({n: tuple(tensor.shape) for n, tensor in module.state_dict().items()}, unused)


def _converted(architecture: zoo.Architecture, tensors: StateDict) -> StateDict:
    kind = architecture.generator_class()
    if not hasattr(kind, "convert_weights"):
        return tensors
    return cast(WeightConverter, kind).convert_weights({name: _array(tensor) for name, tensor in tensors.items()})


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    # numpy has no bfloat16; every other type passes as it is, so that a wrong one is seen later.
    return np.asarray(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)


def summarize_names(label: str, names: list[str]) -> list[str]:
    """Name the first few, and count them all; nothing where there is none.

    Example:
        >>> summarize_names("missing", ["a", "b"])
        ['2 missing (a, b)']
    """
    if not names:
        return []
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return [f"{len(names)} {label} ({', '.join(names[:_LISTED])}{more})"]
