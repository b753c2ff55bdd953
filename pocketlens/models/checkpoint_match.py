"""Which architecture a checkpoint is of: its names and shapes, beside those that each architecture's module holds.

Modules are looked at on torch's meta device, without weights, so that comparing with all of them takes a moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models import zoo
from pocketlens.models.weights import StateDict

_LISTED = 4
"""How many names an error lists before it counts the rest."""
_NEAR = 0.5
"""The similarity from which on a checkpoint is said to fit nearly."""
_COUNTER = "num_batches_tracked"
_STATISTICS = ("running_mean", "running_var", _COUNTER)


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
    """

    architecture: zoo.Architecture
    variant: zoo.Variant
    problems: tuple[str, ...]
    matching: int
    total: int
    similarity: float
    state: StateDict = field(repr=False, compare=False)

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
    """The variant that a checkpoint fits best; see whether :attr:`CheckpointMatch.problems` is empty."""
    matches = [_compare(tensors, architecture, index) for index in range(len(architecture.variants))]
    return max(matches, key=lambda match: (not match.problems, match.similarity))


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
    reason = "; ".join(match.problems)
    article = "an" if name[0] in "aeiou" else "a"
    what = f"{path} is not {article} {name} checkpoint{', but nearly' if near else ''}: {counted}; {reason}"
    others = [best_match(tensors, other) for other in zoo.ARCHITECTURES.values() if other != match.architecture]
    best = max(others, key=lambda other: (not other.problems, other.similarity))
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
        do = "check architecture in the recipe, or the file; it fits none that is known (pocketlens zoo)"
    return InputError(what, do=do)


def _compare(tensors: StateDict, architecture: zoo.Architecture, index: int) -> CheckpointMatch:
    layout = _layout(architecture.name, index)
    variant, expected = architecture.variants[index], layout.shapes
    try:
        state = _converted(architecture, tensors)
    except InputError as error:
        return CheckpointMatch(architecture, variant, (error.what,), 0, len(expected), 0.0, {})
    # A counter of batches decides nothing in eval mode: torch before 0.4.1 had none, and some norms save one in vain.
    state = {n: t for n, t in state.items() if n in expected or not (n in layout.unused or n.endswith(f".{_COUNTER}"))}
    missing = [name for name in expected if name not in state and not name.endswith(f".{_COUNTER}")]
    extra = [name for name in state if name not in expected]
    shapes = [
        f"{name} is {list(state[name].shape)} and should be {list(shape)}"
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != shape
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
    module = architecture.skeleton(architecture.variants[index])
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
