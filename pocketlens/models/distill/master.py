"""A teacher that also says what it thinks: its picture and its features at a quarter of the size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketlens.converters.ranges import Ranges
from pocketlens.images import Floats, Picture
from pocketlens.models.distill.features import QUARTER, listening, quarter_layer

Features = NDArray[np.float32]
Master = Callable[[Picture], tuple[Floats, Features | None]]
"""``uint8 [H, W, 3]`` in; ``float32 [H, W, 3]``, 0..255, and ``float32 [C, H/4, W/4]`` or None out."""


def torch_master(module: torch.nn.Module, ranges: Ranges) -> Master:
    """A torch generator; see :func:`pocketlens.models.teacher.torch_teacher`."""
    from pocketlens.models.teacher import torch_teacher

    play, layer = torch_teacher(module, ranges), quarter_layer(module)

    def answer(picture: Picture) -> tuple[Floats, Features | None]:
        with listening(module, layer) as heard:
            pixels = play(picture)
        return pixels, heard[0][0].float().cpu().numpy() if heard else None

    return answer


def onnx_master(path: Path, ranges: Ranges, side: int) -> Master:
    """An ``.onnx`` file, played by onnxruntime; its features are those of the last tensor at a quarter of ``side``.

    Raises:
        InputError: The file cannot be read or played.
    """
    from pocketlens.models.teacher import onnx_teacher

    play = onnx_teacher(path, ranges)
    think = _thinking(path, side)

    def answer(picture: Picture) -> tuple[Floats, Features | None]:
        return play(picture), think(picture, ranges) if think else None

    return answer


def _thinking(path: Path, side: int) -> "Callable[[Picture, Ranges], Features] | None":
    return None


def function_master(function: Callable[[Picture], Any]) -> Master:
    """A slow function from picture to picture."""

    def answer(picture: Picture) -> tuple[Floats, Features | None]:
        return np.asarray(function(picture), np.float32), None

    return answer


__all__ = ["QUARTER", "Features", "Master", "function_master", "onnx_master", "torch_master"]
