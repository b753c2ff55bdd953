"""Checkpoints that Pocketlens writes: safetensors whose metadata says how the generator is made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from pocketlens import files
from pocketlens.errors import InputError
from pocketlens.models import weights
from pocketlens.models.named import KEY

_MOST = 4096


@dataclass(frozen=True)
class Made:
    """How a generator is made.

    Attributes:
        architecture: The name of its architecture.
        arguments: What the architecture's class is called with.
        pruned: Whether its layers are narrower than these arguments say; the tensors' shapes tell by how much.
        styles: The names of a pack's styles, in order.
    """

    architecture: str
    arguments: Mapping[str, int]
    pruned: bool = False
    styles: tuple[str, ...] = ()


def save(module: nn.Module, path: Path, how: Made) -> None:
    """Write a generator's weights, whole or not at all; the same weights give the same bytes."""
    from safetensors.torch import save_file

    about: dict[str, object] = {
        "architecture": how.architecture,
        "arguments": dict(how.arguments),
        "pruned": how.pruned,
    }
    if how.styles:
        about["styles"] = list(how.styles)
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
        how = Made(about["architecture"], dict(about["arguments"]), about["pruned"], tuple(about.get("styles", ())))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"the metadata of {path} is no description of a generator", do="get the file again") from error
    good = all(isinstance(n, str) and type(v) is int and 0 <= v <= _MOST for n, v in how.arguments.items())
    good = good and len(how.styles) == how.arguments.get("styles", 0) and all(isinstance(n, str) for n in how.styles)
    if not (good and isinstance(how.architecture, str) and isinstance(how.pruned, bool)):
        raise InputError(f"the metadata of {path} asks for what cannot be: {text[:200]}", do="get the file again")
    return how
