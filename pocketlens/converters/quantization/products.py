"""Which quantized convolutions are products of matrices where a target has them (decision 32).

A product needs every output pixel's inputs as a row of bytes, and gives floats: nothing is lost in front of a norm. An
integer convolution of onnxruntime gathers a few rows at a time, and must round what it gives.
"""

import math

import onnx_ir as ir

from pocketlens.converters import graph as hub

FEW_OUTPUTS = 64
"""Up to so many outputs over all columns of a kernel, rows are gathered only over its height, and the outputs of its
columns are added up behind the product: a row of sums fills no more than four vectors."""
MIN_OUTPUTS = 64
"""Convolutions to fewer channels gain nothing from being a product, unless a norm reads them."""
MAX_BYTES, MAX_BYTES_BEFORE_NORM = 1 << 24, 1 << 26
"""The most bytes to gather. More than a processor's caches hold, and gathering takes longer than the product; in front
of a norm, where rounding costs decibels, more is worth it."""
_CARRIERS = ("Reshape", "DepthToSpace")


def is_product(node: ir.Node) -> bool:
    """Whether a Conv or ConvTranspose of constant weights is to be a product of matrices."""
    if node.op_type not in ("Conv", "ConvTranspose") or hub.integer(node, "group", 1) != 1:
        return False
    before_norm = _is_before_norm(node.outputs[0])
    if gathered_bytes(node) > (MAX_BYTES_BEFORE_NORM if before_norm else MAX_BYTES):
        return False
    outputs = hub.static_shape(node.outputs[0])[1]
    return before_norm or outputs >= MIN_OUTPUTS or node.op_type == "ConvTranspose"


def gathered_bytes(node: ir.Node) -> int:
    """How many bytes the rows of all output pixels hold."""
    source, kernel = node.inputs[:2]
    assert source is not None and kernel is not None
    batch, channels, *sizes = hub.static_shape(source)
    outputs, *positions = hub.static_shape(node.outputs[0])[1:]
    taps, strides = list(hub.static_shape(kernel)[2:]), hub.ints(node, "strides", (1,) * len(sizes))
    if node.op_type == "ConvTranspose":
        positions = sizes
        taps = [-(-length // stride) for length, stride in zip(taps, strides, strict=True)]
    elif taps[-1] * outputs <= FEW_OUTPUTS and set(strides) == {1}:
        taps[-1] = 1
    return int(batch * channels * math.prod(positions) * math.prod(taps))


def _is_before_norm(value: ir.Value) -> bool:
    """Whether a norm of each channel by itself reads a value: it makes quiet channels loud, and their rounding too."""
    for node, _ in value.uses():
        if node.op_type in _CARRIERS and _is_before_norm(node.outputs[0]):
            return True
        scale = node.inputs[1] if node.op_type == "InstanceNormalization" else None
        if scale is not None and hub.static_shape(scale) != (1,):
            return True
    return False
