"""The metadata of Pocketlens' own checkpoints: which architecture a ``.safetensors`` file is of, and with which
arguments.

Read without torch, from the head of the file alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketlens import files
from pocketlens.errors import InputError, require

if TYPE_CHECKING:
    from torch import nn

KEY = "pocketlens"
"""The key of the metadata under which the description stands, as JSON."""

_RENAMED = {"pocket": {"half": "half_res_channels", "whole": "instance_norm"}}
"""Architecture → the arguments that checkpoints of before 2026-12 have under another name, and what they are called
now.
"""
_MOST = 4096
_WIDEST = 1e30
_DEEPEST = 64
_DEPTHS = ("blocks", "fine", "halvings", "styles")
"""Arguments that say how many modules are made, each of which takes time: other arguments are widths and choices."""


@dataclass(frozen=True)
class CheckpointMetadata:
    """What a checkpoint says of its generator.

    Attributes:
        architecture: The name of its architecture.
        arguments: What the architecture's class is called with.
        pruned: Whether its layers are narrower than these arguments say, or low-rank pairs; the tensors' shapes tell.
        styles: The names of a pack's styles, in order.
        ranges: Convolution, by its name → the range of its input, where quantization-aware training found it.
    """

    architecture: str
    arguments: Mapping[str, int]
    pruned: bool = False
    styles: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def save_checkpoint(module: "nn.Module", path: Path, metadata: CheckpointMetadata) -> None:
    """Write a generator's weights and metadata, whole or not at all; the same weights give the same bytes."""
    from safetensors.torch import save

    description: dict[str, Any] = {
        "architecture": metadata.architecture,
        "arguments": dict(metadata.arguments),
        "pruned": metadata.pruned,
    }
    if metadata.styles:
        description["styles"] = list(metadata.styles)
    if metadata.ranges:
        description["ranges"] = {name: list(ends) for name, ends in metadata.ranges.items()}
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    # The library's own files can be read by their owner alone.
    files.write(path, save(tensors, {KEY: json.dumps(description, sort_keys=True)}))


def read_metadata(path: Path) -> CheckpointMetadata | None:
    """What a checkpoint says of its generator; None for checkpoints that say nothing.

    Raises:
        InputError: What it says makes no sense.
    """
    text = _description(path)
    if text is None:
        return None
    try:
        description = json.loads(text)
        metadata = CheckpointMetadata(
            description["architecture"],
            _with_new_names(description["architecture"], dict(description["arguments"])),
            description["pruned"],
            tuple(description.get("styles", ())),
            {name: (low, high) for name, (low, high) in description.get("ranges", {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"the metadata of {path} is no description of a generator", do="get the file again") from error
    arguments, styles = metadata.arguments, metadata.styles
    valid = (
        isinstance(metadata.architecture, str)
        and isinstance(metadata.pruned, bool)
        and all(isinstance(n, str) and type(v) is int and 0 <= v <= largest(n) for n, v in arguments.items())
        and len(styles) == arguments.get("styles", 0)
        and all(isinstance(name, str) for name in styles)
        and all(_is_range(ends) for ends in metadata.ranges.values())
    )
    if not valid:
        raise InputError(
            f"the metadata of {path} describes a generator that cannot be: {text[:200]}", do="get the file again"
        )
    return metadata


def read_styles(path: Path) -> tuple[str, ...]:
    """The names of a pack's styles; empty for every other file. Whether they fit the weights shows when these are
    loaded.
    """
    styles = _unchecked(path).get("styles", ())
    return tuple(styles) if isinstance(styles, list) and all(isinstance(name, str) for name in styles) else ()


def read_architecture(path: Path) -> str:
    """The architecture that a checkpoint says it is of; empty for every other file."""
    architecture = _unchecked(path).get("architecture", "")
    return architecture if isinstance(architecture, str) else ""


def _description(path: Path) -> str | None:
    """The JSON text in a file's metadata; None for other files, and for a file that cannot be read."""
    if path.suffix.lower() != ".safetensors" or not path.is_file():
        return None
    require("safetensors", "build")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as archive:
            text: str | None = (archive.metadata() or {}).get(KEY)
    except (SafetensorError, OSError):
        return None  # whoever loads its weights says what is wrong
    return text


def _unchecked(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(_description(path) or "{}")
    except (ValueError, RecursionError):
        return {}  # whoever loads its weights says what is wrong
    return description if isinstance(description, dict) else {}


def _with_new_names(architecture: str, arguments: dict[str, int]) -> dict[str, int]:
    renamed = _RENAMED.get(architecture, {})
    return {renamed.get(name, name): value for name, value in arguments.items()}


def largest(argument: str) -> int:
    """The most that an argument of an architecture may be."""
    return _DEEPEST if argument in _DEPTHS else _MOST


def _is_range(ends: tuple[Any, Any]) -> bool:
    numbers = all(type(end) in (int, float) and abs(end) < _WIDEST for end in ends)
    return numbers and ends[0] <= 0 <= ends[1] and ends[0] < ends[1]
