"""A torch module of any signature as one of a picture in and a picture out."""

import inspect
from typing import Any

import torch
from torch import nn

from pocketlens.converters.signature import Signature, part_of
from pocketlens.errors import InputError


class Bound(nn.Module):
    """A module whose inputs and outputs are taken as a signature says.

    Args:
        module: Takes the picture as its first argument, ``float32 [1, channels, H, W]``.
        signature: Constants are arguments of its ``forward`` by name; the output is a place of its tuple, or a key of
            its dictionary.

    Raises:
        InputError: ``forward`` has no such argument, or a constant cannot be read.
    """

    def __init__(self, module: nn.Module, signature: Signature) -> None:
        super().__init__()
        self.module, self._signature = module, signature
        names = list(inspect.signature(module.forward).parameters)
        self._arguments: list[str] = []
        self._channels: list[int] = []
        for index, (name, text) in enumerate(signature.constants):
            part = part_of(name, names)
            if part is None or (part[1] is None) == (part[0] == names[0]):
                raise InputError(
                    f"forward has no argument {name!r} to fix beside the picture",
                    do=f"choose from {', '.join((*names[1:], f'{names[0]}.3'))}; the last is a channel of the picture",
                )
            self.register_buffer(f"constant_{index}", torch.from_numpy(signature.value(text)), persistent=False)
            if part[1] is None:
                self._arguments.append(part[0])
            else:
                self._arguments.append("")
                self._channels.append(part[1].start)
        normal = signature.normalization()
        if normal is not None:
            for name, term in zip(("scale", "shift"), normal, strict=True):
                self.register_buffer(name, torch.from_numpy(term).reshape(1, 3, 1, 1), persistent=False)
        self.eval()

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """``float32 [1, 3, H, W]`` in, RGB; what the module makes of it out."""
        signature = self._signature
        if hasattr(self, "scale"):
            picture = picture * self.scale + self.shift
        if signature.input_order == "BGR":
            picture = picture[:, [2, 1, 0]]
        fixed = [getattr(self, f"constant_{i}") for i in range(len(self._arguments))]
        extra = [value for name, value in zip(self._arguments, fixed, strict=True) if not name]
        if extra:
            picture = self._with_channels(picture, extra)
        arguments = {name: value for name, value in zip(self._arguments, fixed, strict=True) if name}
        stylized = _part(self.module(picture, **arguments), signature.output)
        return stylized.flip(1) if signature.output_order == "BGR" else stylized

    def _with_channels(self, picture: torch.Tensor, extra: list[torch.Tensor]) -> torch.Tensor:
        colours = list(picture.split(1, 1))
        for place, value in sorted(zip(self._channels, extra, strict=True), key=lambda pair: pair[0]):
            colours.insert(place, torch.zeros_like(colours[0]) + value)
        return torch.cat(colours, 1)


def _part(given: Any, wanted: str) -> torch.Tensor:
    """The picture of what a module gives.

    Raises:
        InputError: It gives no such thing.
    """
    named = dict(given) if isinstance(given, dict) else None
    if named is None and isinstance(given, tuple | list):
        named = {str(i): value for i, value in enumerate(given)}
    if named is None:
        named = {"0": given}
    wanted = wanted or (str(next(iter(named))) if len(named) == 1 else "")
    part = part_of(wanted, [str(name) for name in named])
    picture = named.get(part[0]) if part is not None else None
    if part is None or not isinstance(picture, torch.Tensor):
        raise InputError(f"the generator has no output {wanted!r}", do=f"choose from {describe(given)}")
    return picture if part[1] is None else picture[:, part[1]]


def require_picture(given: Any) -> None:
    """Refuse what is not one tensor.

    Raises:
        InputError: It is a tuple or dictionary; the message lists what is in it.
    """
    if not isinstance(given, torch.Tensor):
        raise InputError(
            f"the generator gives a {type(given).__name__} of {describe(given)}, expected one picture",
            do="say which is the picture: --output PLACE, or output in the recipe",
        )


def describe(given: Any) -> str:
    """What a module gives, in words: each output with its shape."""
    items = (
        given.items() if isinstance(given, dict) else enumerate(given if isinstance(given, tuple | list) else [given])
    )
    shapes = [
        (name, list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__) for name, value in items
    ]
    return ", ".join(f"{name} ({shape})" for name, shape in shapes)
