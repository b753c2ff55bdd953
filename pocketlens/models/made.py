"""Checkpoints that Pocketlens writes: safetensors whose metadata says how the generator is made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from pocketlens import files
from pocketlens.errors import InputError
from pocketlens.models import weights
from pocketlens.models.named import KEY

_MOST = 4096
_WIDEST = 1e30
_DEEPEST = 64
_DEPTHS = ("blocks", "fine", "halvings", "styles")
"""Arguments that say how many modules are made, each of which takes time: other arguments are widths and choices."""


@dataclass(frozen=True)
class Made:
    """How a generator is made.

    Attributes:
        architecture: The name of its architecture.
        arguments: What the architecture's class is called with.
        pruned: Whether its layers are narrower than these arguments say, or pairs of thin ones; the tensors' shapes tell.
        styles: The names of a pack's styles, in order.
        ranges: Convolution, by its name → the range of what it takes, where it was trained through rounding.
    """

    architecture: str
    arguments: Mapping[str, int]
    pruned: bool = False
    styles: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def save(module: nn.Module, path: Path, how: Made) -> None:
    """Write a generator's weights, whole or not at all; the same weights give the same bytes."""
    from safetensors.torch import save_file

    about: dict[str, Any] = {
        "architecture": how.architecture,
        "arguments": dict(how.arguments),
        "pruned": how.pruned,
    }
    if how.styles:
        about["styles"] = list(how.styles)
    if how.ranges:
        about["ranges"] = {name: list(span) for name, span in how.ranges.items()}
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    with files.whole(path) as part:
        save_file(tensors, part, {KEY: json.dumps(about, sort_keys=True)})


def read(path: Path) -> Made | None:
    """How the generator of a checkpoint is made; None for checkpoints that do not say.

    Raises:
        InputError: What it says makes no sense.
    """
    text = weights.metadata(path).get(KEY)
    if text is None:
        return None
    try:
        about = json.loads(text)
        spans = {name: (low, high) for name, (low, high) in about.get("ranges", {}).items()}
        styles = tuple(about.get("styles", ()))
        how = Made(about["architecture"], dict(about["arguments"]), about["pruned"], styles, spans)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"the metadata of {path} is no description of a generator", do="get the file again") from error
    good = all(isinstance(n, str) and type(v) is int and 0 <= v <= _most(n) for n, v in how.arguments.items())
    good = good and len(how.styles) == how.arguments.get("styles", 0) and all(isinstance(n, str) for n in how.styles)
    good = good and all(_is_range(span) for span in how.ranges.values())
    if not (good and isinstance(how.architecture, str) and isinstance(how.pruned, bool)):
        raise InputError(f"the metadata of {path} asks for what cannot be: {text[:200]}", do="get the file again")
    return how


def _most(argument: str) -> int:
    return _DEEPEST if argument in _DEPTHS else _MOST


def _is_range(span: tuple[Any, Any]) -> bool:
    numbers = all(type(end) in (int, float) and abs(end) < _WIDEST for end in span)
    return numbers and span[0] <= 0 <= span[1] and span[0] < span[1]
