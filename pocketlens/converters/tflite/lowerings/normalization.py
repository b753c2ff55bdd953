"""Normalizations: instance and group norms, and batch norms that were not merged into a convolution.

The deviations are taken before they are squared, never ``E[x²] - E[x]²``, which loses everything when the mean is large
against the spread, and they are used twice: a SQUARED_DIFFERENCE beside the SUB would read the picture once more, which
cost a tenth of a whole fast-style generator. Means run over height and width first, then over channels: a mean of means
overflows later in half precision, and every delegate knows a mean over exactly these two axes.
"""

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import floats, needs_constants, needs_rank
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering

Floats = NDArray[np.float32]


def _check_affine(node: ir.Node) -> str:
    return needs_constants(node, "its scale or shift is", 1, 2)


@lowering("InstanceNormalization", check=_check_affine, needs="constant scale and shift")
def instance_norm(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """Over everything behind the channels. On a value of rank 3 it may be half of a group norm, see
    :func:`is_group_view`.
    """
    scale, shift = _affine(node)
    source = node.inputs[0]
    assert source is not None
    shape = hub.static_shape(source)
    if len(shape) == 4:
        return _normalize(builder, builder.get(source), len(scale), hub.number(node, "epsilon", 1e-5), scale, shift)
    if _viewed_picture(source) is not None:
        return Tensor(node.name or "", shape)  # never read, see group_norm_back
    return _normalize_rows(builder, builder.get(source), hub.number(node, "epsilon", 1e-5), scale, shift)


def group_norm_back(builder: TFLiteBuilder, node: ir.Node) -> Tensor | None:
    """The whole group norm, if this Reshape is the last node of one (see :func:`is_group_view`), else None."""
    norm = node.inputs[0].producer() if node.inputs[0] is not None else None
    if norm is None or norm.op_type != "InstanceNormalization" or norm.inputs[0] is None:
        return None
    picture = _viewed_picture(norm.inputs[0])
    if picture is None:
        return None
    x = builder.get(picture)
    scale, shift = _affine(norm)
    groups = len(scale)
    scale, shift = (np.repeat(term, x.shape[3] // groups) for term in (scale, shift))
    return _normalize(builder, x, groups, hub.number(norm, "epsilon", 1e-5), scale, shift)


@lowering(
    "GroupNormalization",
    check=lambda node: _check_affine(node) or needs_rank(node, 4),
    needs="constant scale and shift; four axes",
)
def group_norm(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """The operator of its own; in opset 20 it has a scale and shift a group."""
    scale, shift = _affine(node)
    x = builder.get(node.inputs[0])
    scale, shift = (np.repeat(term, x.shape[3] // len(term)) for term in (scale, shift))
    return _normalize(builder, x, hub.integer(node, "num_groups", 1), hub.number(node, "epsilon", 1e-5), scale, shift)


@lowering(
    "BatchNormalization",
    check=lambda node: needs_constants(node, "its statistics are", 1, 2, 3, 4),
    needs="constant statistics",
)
def batch_norm(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """A product and a sum with constants."""
    scale, shift, mean, variance = (np.asarray(constant(value), np.float64) for value in node.inputs[1:])
    factor = scale / np.sqrt(variance + hub.number(node, "epsilon", 1e-5))
    terms = []
    for term in (factor, shift - mean * factor):
        graph_shape = (1, -1, *(1,) * (len(hub.static_shape(node.outputs[0])) - 2))
        terms.append(builder.constant(layout.stored(term.astype(np.float32).reshape(graph_shape))))
    return builder.elementwise("ADD", builder.elementwise("MUL", builder.get(node.inputs[0]), terms[0]), terms[1])


def _affine(node: ir.Node) -> tuple[Floats, Floats]:
    scale, shift = floats(node, 1), floats(node, 2)
    assert scale is not None and shift is not None
    return scale, shift


def _normalize(builder: TFLiteBuilder, x: Tensor, groups: int, epsilon: float, scale: Floats, shift: Floats) -> Tensor:
    """``(x - mean) / sqrt(variance + epsilon) * scale + shift`` over height, width and the channels of a group."""
    deviation = builder.elementwise("SUB", x, _mean(builder, x, groups))
    variance = _mean(builder, builder.elementwise("MUL", deviation, deviation), groups)
    spread = builder.elementwise("SQRT", builder.elementwise("ADD", variance, epsilon))
    # Not RSQRT: runtimes of two years ago have it, their XNNPACK has not, and every norm would cut the graph in two.
    numerator = 1.0 if (scale == 1).all() else builder.constant(scale.reshape(1, 1, 1, -1))
    factor = builder.elementwise("DIV", numerator, spread)
    normal = builder.elementwise("MUL", deviation, factor)
    return builder.elementwise("ADD", normal, builder.constant(shift.reshape(1, 1, 1, -1))) if shift.any() else normal


def _normalize_rows(builder: TFLiteBuilder, x: Tensor, epsilon: float, scale: Floats, shift: Floats) -> Tensor:
    """The same where channels come first, in any number of axes but four: each channel is a picture of one channel."""
    channels, pixels = x.shape[0] * x.shape[1], math.prod(x.shape[2:])
    rows = next(rows for rows in range(math.isqrt(pixels), 0, -1) if pixels % rows == 0)
    picture = builder.reshape(x, (channels, rows, pixels // rows, 1))
    normal = _normalize(builder, picture, 1, epsilon, np.ones(1, np.float32), np.zeros(1, np.float32))
    result = builder.reshape(normal, x.shape)
    for code, term, nothing in (("MUL", scale, 1), ("ADD", shift, 0)):
        if (term != nothing).any():
            result = builder.elementwise(
                code, result, builder.constant(term.reshape(1, -1, *(1,) * (len(x.shape) - 2)))
            )
    return result


def _mean(builder: TFLiteBuilder, x: Tensor, groups: int) -> Tensor:
    batch, channels = x.shape[0], x.shape[3]
    if x.shape[1] * x.shape[2] >= builder.longest_mean:
        x = builder.add("MEAN", [x, builder.integers([2])], (batch, x.shape[1], 1, channels), keepDims=True)
    mean = builder.add("MEAN", [x, builder.integers([1, 2])], (batch, 1, 1, channels), keepDims=True)
    if groups == channels:
        return mean
    if groups == 1:
        return builder.add("MEAN", [mean, builder.integers([3])], (batch, 1, 1, 1), keepDims=True)
    # The channels of a group lie side by side; the product with ones spreads its mean over them again.
    each = channels // groups
    mean = builder.reshape(mean, (batch, 1, groups, each))
    mean = builder.add("MEAN", [mean, builder.integers([3])], (batch, 1, groups, 1), keepDims=True)
    mean = builder.elementwise("MUL", mean, builder.constant(np.ones((1, 1, groups, each), np.float32)))
    return builder.reshape(mean, (batch, 1, 1, channels))


def is_group_view(node: ir.Node) -> bool:
    """Whether a Reshape makes ``[N, groups, -1]`` of a picture only for a norm that is then reshaped back.

    torch exports a group norm so. Channels last have no such view, so the three nodes are lowered as one: the Reshape
    and the norm add nothing, and the Reshape back (:func:`group_norm_back`) normalizes the picture itself.
    """
    if node.op_type != "Reshape" or node.inputs[0] is None:
        return False
    picture, view = hub.static_shape(node.inputs[0]), hub.static_shape(node.outputs[0])
    if len(picture) != 4 or len(view) != 3 or picture[0] != view[0] or picture[1] % view[1]:
        return False
    norms = [reader for reader, _ in node.outputs[0].uses()]
    return bool(norms) and all(
        norm.op_type == "InstanceNormalization" and _only_reshaped(norm.outputs[0], picture) for norm in norms
    )


def _viewed_picture(view: ir.Value) -> ir.Value | None:
    """The picture of which a value of rank 3 is the group view."""
    node = view.producer()
    return node.inputs[0] if node is not None and is_group_view(node) else None


def _only_reshaped(value: ir.Value, back: layout.Shape) -> bool:
    return not value.is_graph_output() and all(
        reader.op_type == "Reshape" and hub.static_shape(reader.outputs[0]) == back for reader, _ in value.uses()
    )
