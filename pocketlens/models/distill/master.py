"""A teacher that also says what it thinks: its picture and its features at a quarter of the size."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketlens import files
from pocketlens.converters.ranges import Ranges
from pocketlens.images import Floats, Picture
from pocketlens.models.distill.features import QUARTER, listening, quarter_layer
from pocketlens.models.source import Source
from pocketlens.models.training.run import device

Features = NDArray[np.float32]
Master = Callable[[Picture], tuple[Floats, Features | None]]
"""``uint8 [H, W, 3]`` in; ``float32 [H, W, 3]``, 0..255, and ``float32 [C, H/4, W/4]`` or None out."""


def torch_master(module: torch.nn.Module, ranges: Ranges) -> Master:
    """A torch generator, on a GPU where there is one; see :func:`pocketlens.models.teacher.torch_teacher`."""
    from pocketlens.models.teacher import torch_teacher

    module = module.to(device())
    play, layer = torch_teacher(module, ranges), quarter_layer(module)

    def answer(picture: Picture) -> tuple[Floats, Features | None]:
        with listening(module, layer) as heard:
            pixels = play(picture)
        return pixels, heard[layer][0].float().cpu().numpy() if heard else None

    return answer


def onnx_master(path: Path, ranges: Ranges) -> Master:
    """An ``.onnx`` file, played by onnxruntime; its features are its last tensor at a quarter of the picture's size.

    Raises:
        InputError: The file cannot be read or played.
    """
    from pocketlens.models.teacher import onnx_teacher

    play = onnx_teacher(path, ranges)

    @cache
    def thinking(height: int, width: int) -> Callable[[Floats], Features] | None:
        return _thinking(path, height, width)

    def answer(picture: Picture) -> tuple[Floats, Features | None]:
        think = thinking(*picture.shape[:2])
        low, high = ranges.taken
        planar = picture.astype(np.float32).transpose(2, 0, 1)[None] * np.float32((high - low) / 255) + np.float32(low)
        return play(picture), think(np.ascontiguousarray(planar, np.float32)) if think else None

    return answer


def fixed_size(path: Path) -> tuple[int, int] | None:
    """The only height and width that an ``.onnx`` file takes, or None if it takes any.

    Raises:
        InputError: The file cannot be read.
    """
    import onnx

    from pocketlens.converters.onnx_file import read_onnx

    read_onnx(path)
    dims = onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
    sizes = [dim.dim_value for dim in dims]
    if len(sizes) != 4:
        return None
    height, width = sizes[1:3] if sizes[3] == 3 else sizes[2:4]
    return (height, width) if height and width else None


def _thinking(path: Path, height: int, width: int) -> Callable[[Floats], Features] | None:
    """What gives the last tensor at a quarter of the size, or None where none is found or pictures are not NCHW floats."""
    import onnx
    import onnxruntime as ort

    model = onnx.load(path)
    taken = model.graph.input[0]
    dims = taken.type.tensor_type.shape.dim
    if len(dims) != 4 or dims[1].dim_value != 3 or taken.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        return None
    for dim, value in zip(dims, (1, 3, height, width), strict=True):
        dim.dim_value = value
    known = {value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    wanted = [height // QUARTER, width // QUARTER]
    found = None
    for node in model.graph.node:
        for name in node.output:
            shape = [d.dim_value for d in known[name].type.tensor_type.shape.dim] if name in known else []
            if len(shape) == 4 and shape[2:] == wanted:
                found = name
    if found is None:
        return None
    model.graph.output.append(known[found])
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def think(planar: Floats) -> Features:
        features: Features = session.run([found], {taken.name: planar})[0][0].astype(np.float32)
        return features

    return think


def function_master(function: Callable[[Picture], Any]) -> Master:
    """A slow function from picture to picture, ``uint8 [H, W, 3]`` both."""

    def answer(picture: Picture) -> tuple[Floats, Features | None]:
        return np.asarray(function(picture), np.float32), None

    return answer


def master_of(source: Source) -> Master:
    """The source as a teacher that also gives its features."""
    if source.kind == "onnx":
        assert source.path is not None
        return onnx_master(source.path, source.ranges)
    return torch_master(source.load(), source.ranges)


def teacher_key(source: Source) -> str:
    """A hash of what a source computes as a teacher."""
    return files.key_of(source=source.key, ranges=asdict(source.ranges))
