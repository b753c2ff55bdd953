"""How a TFLite file stores weights: float16 for ``fp16``, int8 with a scale for each output channel for ``w8`` and
``int8``.

- ``fp16``: each kernel stands behind a DEQUANTIZE that the runtime runs once, when it loads. This is how TFLite's own
  float16 files look, so every runtime and delegate knows it: XNNPACK folds the DEQUANTIZE away and computes in float32,
  GPU delegates read the float16 kernel itself. Biases and the norms' vectors stay float32: together they are under one
  percent of a generator, and they are what half precision hurts.
- ``w8``: each kernel stands behind a DEQUANTIZE too, so that arithmetic stays in floats. Without it LiteRT would choose
  its hybrid kernels, which also quantize what the layer reads, anew for each picture: three times as fast, and the
  picture of ``int8`` and not of ``w8`` (see docs/decisions/0009).
- ``int8``: dynamic range quantization. XNNPACK takes a convolution of floats with an int8 kernel as one operator: it
  finds the range of what it reads, computes in int8 and returns floats. With ranges fixed beforehand it would have to
  round its output to int8 as well, and norms answer that with a loss: an earlier study of a fast-style generator found
  27.9 dB so and 36.7 dB this way, at the same speed. Depthwise kernels have no such form in XNNPACK and stay float.
"""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.constants import constant
from pocketlens.converters.quantized_weights import (
    LEVELS,
    AffineQuantizedWeights,
    quantized_weights_of,
)
from pocketlens.converters.rewrites import edit
from pocketlens.converters.tflite.builder import Operator, Tensor

_KERNEL_INPUTS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "TRANSPOSE_CONV": 1, "FULLY_CONNECTED": 1}
"""Operators with weights, and which input they are."""

_FLOAT16_MAX = float(np.finfo(np.float16).max)


def channel_scales(node: ir.Node, axis: int) -> NDArray[np.float32] | None:
    """The scales of a node's 8-bit weights, one for each channel of ``axis``; None if they are not quantized so."""
    weights = quantized_weights_of(node.inputs[1])
    return weights.scales if isinstance(weights, AffineQuantizedWeights) and weights.axis == axis else None


def store_float16(operators: list[Operator]) -> list[Operator]:
    """Store the weights of all operators as float16, except where a value is out of its range.

    Args:
        operators: In order; their inputs are replaced.
    """
    dequantized: dict[int, Tensor] = {}
    dequantizers: list[Operator] = []
    for operator in operators:
        index = _KERNEL_INPUTS.get(operator.code)
        if index is None:
            continue
        kernel = operator.inputs[index]
        if kernel.data is None or np.abs(kernel.data).max(initial=0.0) > _FLOAT16_MAX:
            continue
        if id(kernel) not in dequantized:
            stored = Tensor(f"{kernel.name}/half", kernel.shape, np.dtype(np.float16), kernel.data.astype(np.float16))
            # Version 3 is the first that takes float16.
            dequantizers.append(Operator("DEQUANTIZE", [stored], [Tensor(kernel.name, kernel.shape)], version=3))
            dequantized[id(kernel)] = dequantizers[-1].outputs[0]
        operator.inputs[index] = dequantized[id(kernel)]
    return [*dequantizers, *operators]


def store_int8(operators: list[Operator]) -> list[Operator]:
    """Store the weights that the graph quantizes to 8 bits as int8, each behind a DEQUANTIZE.

    Args:
        operators: In order; their inputs are replaced.
    """
    dequantizers: dict[int, Operator] = {}
    for operator, index, kernel in _quantized_kernels(operators):
        if id(kernel) not in dequantizers:
            # Version 5 is the first that takes a scale for each channel.
            output = Tensor(kernel.name, kernel.shape)
            dequantizers[id(kernel)] = Operator("DEQUANTIZE", [_quantize(kernel)], [output], version=5)
        operator.inputs[index] = dequantizers[id(kernel)].outputs[0]
    return [*dequantizers.values(), *operators]


def store_dynamic_range_int8(operators: list[Operator]) -> list[Operator]:
    """Store the weights that the graph quantizes to 8 bits as int8, for operators that read them so; depthwise kernels
    stay float.

    Args:
        operators: In order; their inputs are replaced.
    """
    stored: dict[int, Tensor] = {}
    for operator, index, kernel in _quantized_kernels(operators):
        if operator.code == "DEPTHWISE_CONV_2D":
            kernel.scales = None
            continue
        if id(kernel) not in stored:
            stored[id(kernel)] = _quantize(kernel)
        operator.inputs[index] = stored[id(kernel)]
    return operators


def remove_activation_quantizers(model: ir.Model) -> None:
    """Take out the quantizers of activations, in place; weights stay quantized."""
    for node in tuple(model.graph):
        if node.graph is None or node.op_type != "DequantizeLinear" or constant(node.inputs[0]) is not None:
            continue
        quantizer = edit.producer(node.inputs[0], "QuantizeLinear", "DynamicQuantizeLinear")
        if quantizer is not None and quantizer.inputs[0] is not None:
            edit.replace(node.outputs[0], quantizer.inputs[0])


def _quantized_kernels(operators: list[Operator]) -> list[tuple[Operator, int, Tensor]]:
    """Operators whose weights the graph quantizes to 8 bits; which input those are, and its tensor."""
    kernels = []
    for operator in operators:
        index = _KERNEL_INPUTS.get(operator.code)
        if index is not None and operator.inputs[index].scales is not None and operator.inputs[index].data is not None:
            kernels.append((operator, index, operator.inputs[index]))
    return kernels


def _quantize(kernel: Tensor) -> Tensor:
    assert kernel.data is not None and kernel.scales is not None
    shape = [1] * len(kernel.shape)
    shape[kernel.channel_axis] = -1
    steps = np.rint(kernel.data / kernel.scales.reshape(shape))
    integers = np.clip(steps, -LEVELS, LEVELS).astype(np.int8)
    return Tensor(f"{kernel.name}/int8", kernel.shape, np.dtype(np.int8), integers, kernel.scales, kernel.channel_axis)
