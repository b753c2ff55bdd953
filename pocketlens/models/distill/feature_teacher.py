"""Teachers with features: they give a picture, and their feature maps at a quarter of its size."""

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
from pocketlens.converters.tflite_source import read_tflite, shell_of
from pocketlens.converters.tflite_source.flatbuffer import read_file
from pocketlens.images import Floats, Picture
from pocketlens.models.distill.features import QUARTER, capture_outputs, quarter_layer
from pocketlens.models.source import Source
from pocketlens.models.training.loop import device

FeatureMaps = NDArray[np.float32]
FeatureTeacher = Callable[[Picture], tuple[Floats, FeatureMaps | None]]
"""``uint8 [H, W, 3]`` in; ``float32 [H, W, 3]``, 0..255, and ``float32 [C, H/4, W/4]`` or None out."""


def torch_feature_teacher(module: torch.nn.Module, ranges: Ranges) -> FeatureTeacher:
    """A torch generator, on a GPU where there is one; see :func:`pocketlens.models.teacher.torch_teacher`."""
    from pocketlens.models.teacher import torch_teacher

    module = module.to(device())
    teacher, layer = torch_teacher(module, ranges), quarter_layer(module)

    def run(picture: Picture) -> tuple[Floats, FeatureMaps | None]:
        with capture_outputs(module, layer) as captured:
            pixels = teacher(picture)
        return pixels, captured[layer][0].float().cpu().numpy() if captured else None

    return run


def onnx_feature_teacher(path: Path, ranges: Ranges) -> FeatureTeacher:
    """An ``.onnx`` file, run by onnxruntime; its feature maps are its last tensor at a quarter of the picture's size.

    Raises:
        InputError: The file cannot be read or run.
    """
    from pocketlens.models.teacher import onnx_teacher

    teacher = onnx_teacher(path, ranges)

    @cache
    def extractor(height: int, width: int) -> Callable[[Floats], FeatureMaps] | None:
        return _feature_extractor(path, height, width)

    def run(picture: Picture) -> tuple[Floats, FeatureMaps | None]:
        extract = extractor(*picture.shape[:2])
        low, high = ranges.input
        planar = picture.astype(np.float32).transpose(2, 0, 1)[None] * np.float32((high - low) / 255) + np.float32(low)
        return teacher(picture), extract(np.ascontiguousarray(planar, np.float32)) if extract else None

    return run


def tflite_feature_teacher(path: Path, ranges: Ranges) -> FeatureTeacher:
    """A ``.tflite`` file, run by LiteRT; it gives no features.

    Raises:
        InputError: The file cannot be read or run.
    """
    from pocketlens.models.teacher import tflite_teacher

    teacher = tflite_teacher(path, ranges, shell_of(read_tflite(path)))
    return lambda picture: (teacher(picture), None)


def fixed_size(path: Path) -> tuple[int, int] | None:
    """The only height and width that an ``.onnx`` or ``.tflite`` file accepts, or None if it accepts any.

    Raises:
        InputError: The file cannot be read.
    """
    import onnx

    from pocketlens.converters.onnx_file import read_onnx

    if path.suffix.lower() == ".tflite":
        file = read_file(path)
        _, *plane, _ = file.tensors[file.inputs[0]].shape if file.inputs else ()
        return (plane[0], plane[1]) if len(plane) == 2 and plane[0] and plane[1] else None
    read_onnx(path)
    dims = onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
    sizes = [dim.dim_value for dim in dims]
    if len(sizes) != 4:
        return None
    height, width = sizes[1:3] if sizes[3] == 3 else sizes[2:4]
    return (height, width) if height and width else None


def _feature_extractor(path: Path, height: int, width: int) -> Callable[[Floats], FeatureMaps] | None:
    """What gives the last tensor at a quarter of the size; None where there is none, or pictures are not NCHW
    floats.
    """
    import onnx
    import onnxruntime as ort

    model = onnx.load(path)
    picture = model.graph.input[0]
    dims = picture.type.tensor_type.shape.dim
    if len(dims) != 4 or dims[1].dim_value != 3 or picture.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        return None
    for dim, value in zip(dims, (1, 3, height, width), strict=True):
        dim.dim_value = value
    known = {value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    quarter = [height // QUARTER, width // QUARTER]
    feature = None
    for node in model.graph.node:
        for name in node.output:
            shape = [d.dim_value for d in known[name].type.tensor_type.shape.dim] if name in known else []
            if len(shape) == 4 and shape[2:] == quarter:
                feature = name
    if feature is None:
        return None
    model.graph.output.append(known[feature])
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def extract(planar: Floats) -> FeatureMaps:
        maps: FeatureMaps = session.run([feature], {picture.name: planar})[0][0].astype(np.float32)
        return maps

    return extract


def function_teacher(function: Callable[[Picture], Any]) -> FeatureTeacher:
    """A slow function from picture to picture, ``uint8 [H, W, 3]`` both, without features."""

    def run(picture: Picture) -> tuple[Floats, FeatureMaps | None]:
        return np.asarray(function(picture), np.float32), None

    return run


def feature_teacher(source: Source) -> FeatureTeacher:
    """The source as a teacher with features."""
    if source.kind == "onnx":
        assert source.path is not None
        return onnx_feature_teacher(source.path, source.ranges)
    if source.kind == "tflite":
        assert source.path is not None
        return tflite_feature_teacher(source.path, source.ranges)
    return torch_feature_teacher(source.load(), source.ranges)


def teacher_key(source: Source) -> str:
    """A hash of what a source computes as a teacher."""
    return files.key_of(source=source.key, ranges=asdict(source.ranges))
