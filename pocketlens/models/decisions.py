"""Where a generator's own code asks what is in the picture: a graph takes the same steps for every picture."""

import linecache
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

_TORCH = str(Path(torch.__file__).parent)
_ASKING = (
    torch.Tensor.__bool__,
    torch.Tensor.__int__,
    torch.Tensor.__float__,
    torch.Tensor.__index__,
    torch.Tensor.item,
    torch.Tensor.tolist,
    torch.Tensor.numpy,
)
"""What makes a number of Python's own, which a loop or a branch can depend on, out of a tensor."""


def find_decision(module: nn.Module, example: tuple[torch.Tensor, ...]) -> str:
    """The first place where a generator turns a value of its picture into a number that Python can decide by.

    Sizes and weights do not count: they are the same for every picture.

    Args:
        module: The generator.
        example: What it is called with; the picture first.

    Returns:
        File, line and code, or an empty string.

    Example:
        >>> class Brightened(nn.Module):
        ...     def forward(self, x):
        ...         return x * 2 if x.mean() < 1 else x
        >>> ":3" in find_decision(Brightened(), (torch.zeros(1, 3, 4, 4),))
        True
        >>> find_decision(nn.ReLU(), (torch.zeros(1, 3, 4, 4),))
        ''
    """
    places: list[str] = []

    class Watched(torch.Tensor):
        """A tensor whose results are watched too."""

        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            if func in _ASKING:
                places.append(_caller())
            return super().__torch_function__(func, types, args, kwargs or {})

    try:
        with torch.no_grad():
            module(*(tensor.as_subclass(Watched) for tensor in example))
    # It is the user's own code, which may raise anything, and may not take such tensors.
    except Exception:  # noqa: BLE001
        pass
    return places[0] if places else ""


def _caller() -> str:
    """The line that is being run, outside of torch and of this module."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename == __file__ or frame.f_code.co_filename.startswith(_TORCH)):
        frame = frame.f_back
    if frame is None:
        return ""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" + (f": {line}" if line else "")
