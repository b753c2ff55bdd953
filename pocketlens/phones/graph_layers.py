"""The layers of a graph, as :mod:`pocketlens.phones.networks` has those of published networks."""

import math

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.roofline import VIEWS
from pocketlens.phones.layers import Layer, convolution

_WITHIN = (
    *VIEWS, "Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid", "HardSwish", "Cast", "QuantizeLinear",
    "DequantizeLinear", "Pad", "Constant",
)  # fmt: skip
"""Operators that a neural processor computes within the layer before or after; the networks' layers have none."""


def graph_layers(model: ir.Model) -> list[Layer]:
    """The layers of a graph with fixed shapes, in order."""
    return [layer for node in model.graph if node.op_type not in _WITHIN and (layer := _layer(node)) is not None]


def _layer(node: ir.Node) -> Layer | None:
    moved = [value for value in (*node.inputs, *node.outputs) if value is not None and constant(value) is None]
    values = sum(math.prod(hub.static_shape(value)) for value in moved if value.name)
    if node.op_type in ("Conv", "ConvTranspose"):
        return _convolution(node)
    if node.op_type in ("MatMul", "Gemm"):
        return _product(node, values)
    return Layer(node.op_type, values=values) if values else None


def _convolution(node: ir.Node) -> Layer:
    ends = (node.inputs[0], node.inputs[1], node.outputs[0])
    picture, kernel, out = (hub.static_shape(value) for value in ends if value is not None)
    pixels = math.prod(picture[2:]), math.prod(out[2:])
    swept = pixels[0] if node.op_type == "ConvTranspose" else pixels[1]
    groups, channels = hub.integer(node, "group", 1), (picture[1], out[1])
    return convolution(node.op_type, channels, math.prod(kernel[2:]), pixels, groups, swept)


def _product(node: ir.Node, values: int) -> Layer:
    macs, weights = hub.node_macs(node), constant(node.inputs[1])
    return Layer(node.op_type, macs, macs, math.prod(weights.shape) if weights is not None else 0, values)
