"""Pooling, resizing, and what moves values between channels and pixels."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.tflite_source.flatbuffer import Operator
from pocketlens.converters.tflite_source.importer import Importer, rule
from pocketlens.converters.tflite_source.rules.windows import padding

_WHOLE = "check that the file is whole, or convert it again"


@rule("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pool(g: Importer, operator: Operator) -> ir.Value:
    """Padding counts in no mean, and is never the largest."""
    kernel = g.option(operator, "filterHeight", least=1), g.option(operator, "filterWidth", least=1)
    window = padding(g, operator, kernel)
    if operator.code == "AVERAGE_POOL_2D":
        return g.channels_last(g.add("AveragePool", [g.picture(operator)], count_include_pad=0, **window))
    return g.channels_last(g.add("MaxPool", [g.picture(operator)], **window))


@rule("RESIZE_BILINEAR")
def resize_bilinear(g: Importer, operator: Operator) -> ir.Value:
    """Pixel centres lie at the corners, at halves, or at whole numbers times the scale."""
    return _resize(g, operator, "linear", _coordinates(g, operator))


@rule("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest(g: Importer, operator: Operator) -> ir.Value:
    """The pixel at ``floor(y * scale)``; with halves at ``floor((y + 0.5) * scale)``, which is the nearest to
    ``(y + 0.5) * scale - 0.5`` and of two the later; with corners the nearest, of two the later.
    """
    coordinates = _coordinates(g, operator)
    how = "floor" if coordinates == "asymmetric" else "round_prefer_ceil"
    return _resize(g, operator, "nearest", coordinates, nearest_mode=how)


def _coordinates(g: Importer, operator: Operator) -> str:
    if g.option(operator, "alignCorners"):
        return "align_corners"
    return "half_pixel" if g.option(operator, "halfPixelCenters") else "asymmetric"


def _resize(g: Importer, operator: Operator, mode: str, coordinates: str, **more: str) -> ir.Value:
    x, shape = g.picture(operator), g.tensor(operator, 0).shape
    if not shape[3]:
        raise g.refusal(operator, "reads a picture without channels", _WHOLE)
    kept = np.array([shape[0] or 1, shape[3]], np.int64)
    size = g.array(operator, 1)
    if size is not None and (size.size != 2 or size.min() < 1):
        raise g.refusal(operator, f"makes the size {size.reshape(-1)[:8].tolist()}", _WHOLE)
    sizes = np.concatenate([kept, size.reshape(-1)]).astype(np.int64) if size is not None else None
    computed = g.add("Concat", [kept, g.value(operator, 1)], axis=0) if sizes is None else sizes
    resized = g.add("Resize", [x, None, None, computed], mode=mode, coordinate_transformation_mode=coordinates, **more)
    return g.channels_last(resized)


@rule("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def depth_to_space(g: Importer, operator: Operator) -> ir.Value:
    """The place in the block counts above the channel, as in ONNX's DCR."""
    kind = "DepthToSpace" if operator.code == "DEPTH_TO_SPACE" else "SpaceToDepth"
    block = g.option(operator, "blockSize", most=1024, least=1)
    return g.channels_last(g.add(kind, [g.picture(operator)], blocksize=block))
