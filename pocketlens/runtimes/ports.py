"""Inputs and outputs of an artifact, and which of them is the picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.quick_dataclass import dataclass

Layout = Literal["NCHW", "NHWC"]
_CHANNELS = (3, 1)
STYLE = "style"
"""The input of a pack that says how much of each style is wanted, ``float32 [1, styles]``."""
SECOND = "second"
"""The input for a second picture, ``float32``, one channel (a mask) or three, 0..255."""
ALPHA = "alpha"
"""The output that is the alpha of the picture, ``float32``, one channel, 0..255."""
STATE, NEXT = "state_", "next_"
"""What inputs and outputs of states are called, a number from 0 behind it: ``next_0`` is ``state_0`` of the next
frame."""
_DTYPES = ("float32", "float16", "uint8", "int8", "uint16", "int16")


@dataclass(frozen=True)
class Port:
    """An input or output of an artifact, as its runtime describes it.

    Attributes:
        name: In the artifact.
        dtype: As numpy calls it, or the runtime if numpy has no such type.
        shape: The length of each axis; anything but a number stands for an open length.
        scale: The real difference between two neighbouring quantized values; 0 if the values are not quantized.
        zero_point: The quantized value that means 0.
        reverse: Whether its colours are in the order blue, green, red.
    """

    name: str
    dtype: str
    shape: tuple[Any, ...]
    scale: float = 0.0
    zero_point: int = 0
    reverse: bool = False

    @property
    def style_count(self) -> int:
        """The number of styles, if this is the :data:`STYLE` input of a pack; else 0."""
        pack = self.name == STYLE and self.dtype == "float32" and self.fixed and len(self.shape) == 2
        return int(self.shape[1]) if pack and self.shape[0] == 1 and self.shape[1] > 1 else 0

    @property
    def fixed(self) -> bool:
        """Whether every axis has a length."""
        return all(isinstance(length, int) and length > 0 for length in self.shape)

    def allocate(self) -> NDArray[Any]:
        """An array of zeros for its values; empty where its shape is open or numpy has no such type."""
        try:
            return np.zeros(self.shape if self.fixed else 0, self.dtype)
        except TypeError:
            return np.zeros(0)

    def layout(self, default_layout: Layout) -> Layout | None:
        """The order of its axes, or None if it is not one picture of a fixed size.

        Args:
            default_layout: The layout to assume where the shape fits both.
        """
        if len(self.shape) != 4 or not self.fixed or self.shape[0] != 1 or self.dtype not in _DTYPES:
            return None
        if self.shape[1] * self.shape[2] * self.shape[3] <= _CHANNELS[0]:
            return None
        other: Layout = "NHWC" if default_layout == "NCHW" else "NCHW"
        for channels in _CHANNELS:
            for layout in (default_layout, other):
                if self.shape[1 if layout == "NCHW" else 3] == channels and min(self._plane(layout)) > 1:
                    return layout
        return None

    def _plane(self, layout: Layout) -> tuple[int, int]:
        return (self.shape[2], self.shape[3]) if layout == "NCHW" else (self.shape[1], self.shape[2])

    def __str__(self) -> str:
        quantized = f", scale {self.scale:g}, zero point {self.zero_point}" if self.scale else ""
        return f"{self.name!r} of {self.dtype} [{', '.join(map(str, self.shape))}]{quantized}"


@dataclass(frozen=True)
class PicturePort:
    """A port that a picture goes through.

    Attributes:
        index: Its position among the inputs or outputs.
        port: The port itself.
        layout: The order of its axes.
    """

    index: int
    port: Port
    layout: Layout

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        shape = self.port.shape
        return (shape[2], shape[3]) if self.layout == "NCHW" else (shape[1], shape[2])

    @property
    def channels(self) -> int:
        """3 for colours, 1 for grey."""
        return int(self.port.shape[1 if self.layout == "NCHW" else 3])


def picture_port(path: Path, kind: str, ports: Sequence[Port], default_layout: Layout) -> PicturePort:
    """The first input or output that is a picture.

    Args:
        path: The artifact, for the message.
        kind: ``"input"`` or ``"output"``, for the message.
        ports: All of them.
        default_layout: The layout to assume where the shape fits both.

    Raises:
        InputError: None is a picture of a fixed size.
    """
    for index, port in enumerate(ports):
        if layout := port.layout(default_layout):
            return PicturePort(index, port, layout)
    expected = "[1, 3, height, width]" if default_layout == "NCHW" else "[1, height, width, 3]"
    shown = "; ".join(map(str, ports)) or "none"
    open_sizes = any(len(port.shape) == 4 and not port.fixed for port in ports)
    raise InputError(
        f"{path} has the {kind} {shown}: no picture of a fixed size, expected float32 {expected}",
        do="say the size that it shall compute at: size=(256, 256)"
        if open_sizes
        else "give an artifact of Pocketlens: pocketlens convert makes one of a model",
    )


def resolve_shape(shape: Sequence[Any], size: tuple[int, int] | None) -> tuple[Any, ...]:
    """A shape with its open axes filled in: one picture, of the size that was asked for.

    Example:
        >>> resolve_shape(("batch", 3, "height", "width"), (48, 64))
        (1, 3, 48, 64)
    """
    resolved = list(shape)
    if len(resolved) != 4:
        return tuple(resolved)
    if not isinstance(resolved[0], int):
        resolved[0] = 1
    if size is not None:
        first = 2 if resolved[1] in _CHANNELS else 1
        for axis, length in zip((first, first + 1), size, strict=True):
            if not isinstance(resolved[axis], int):
                resolved[axis] = length
    return tuple(resolved)
