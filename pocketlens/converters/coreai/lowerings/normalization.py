"""Normalizations: batch, instance (with group norms, which arrive as such) and layer norms.

Core AI has no norm of its own. Statistics are taken in float32 whatever the program computes in: the squares of a
channel whose deviation is 300 overflow half precision, and its picture fell to 14 dB.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.checks import check_batch_norm, check_instance_norm, check_layer_norm
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, signed
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import floats, optional, rank, shape


def _by_channel(array: NDArray[np.floating], axes: int) -> NDArray[np.floating]:
    return array.reshape(1, -1, *(1,) * (axes - 2))


@lowering("BatchNormalization", check=check_batch_norm, needs="constant statistics, evaluation mode; 3 to 5 axes")
def batch_norm(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """A product and a sum with what the constant statistics come to."""
    gamma, beta, mean, variance = (np.asarray(floats(node, index), np.float64) for index in (1, 2, 3, 4))
    scale = gamma / np.sqrt(variance + hub.number(node, "epsilon", 1e-5))
    axes = rank(node.inputs[0])
    scaled = builder.ops.broadcasting_mul(builder.get(node.inputs[0]), builder.floats(_by_channel(scale, axes)))
    return builder.ops.broadcasting_add(scaled, builder.floats(_by_channel(beta - mean * scale, axes)))


def _normalize(
    builder: CoreAIBuilder,
    node: ir.Node,
    axes: Sequence[int],
    gamma: NDArray[np.floating],
    beta: NDArray[np.floating] | None,
) -> Var:
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` in float32: deviations first, then their squares."""
    ops, over = builder.ops, signed(axes)
    x = builder.in_float32(builder.get(node.inputs[0]))
    deviations = ops.broadcasting_sub(x, ops.reduce_mean(x, over))
    variance = ops.reduce_mean(ops.broadcasting_mul(deviations, deviations), over)
    epsilon = builder.scalar(hub.number(node, "epsilon", 1e-5), rank(node.inputs[0]), np.float32)
    scale = ops.broadcasting_mul(ops.rsqrt(ops.broadcasting_add(variance, epsilon)), builder.floats(gamma, np.float32))
    y = ops.broadcasting_mul(deviations, scale)
    if beta is not None:
        y = ops.broadcasting_add(y, builder.floats(beta, np.float32))
    return builder.from_float32(y)


@lowering("InstanceNormalization", check=check_instance_norm, needs="constant scale and shift; 3 or 4 axes")
def instance_norm(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Over everything behind the channels."""
    axes = rank(node.inputs[0])
    gamma, beta = (_by_channel(np.asarray(floats(node, index)), axes) for index in (1, 2))
    return _normalize(builder, node, range(2, axes), gamma, beta)


@lowering("LayerNormalization", check=check_layer_norm, needs="constant scale and shift; one output")
def layer_norm(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """Over the axes from ``axis`` on."""
    count = rank(node.inputs[0])
    axes = list(range(count))[hub.integer(node, "axis", -1) :]
    lengths = (1,) * (count - len(axes)) + shape(node.inputs[0])[axes[0] :]
    gamma, beta = (
        None if optional(node, index) is None else np.broadcast_to(np.asarray(floats(node, index)), lengths)
        for index in (1, 2)
    )
    assert gamma is not None
    return _normalize(builder, node, axes, gamma, beta)
