"""How a TFLite file stores weights: float16 for ``fp16``, int8 with a scale for each output channel for ``w8`` and
``int8``.

- ``fp16``: each kernel stands behind a DEQUANTIZE that the runtime runs once, when it loads. This is how TFLite's own
  float16 files look, so every runtime and delegate knows it: XNNPACK folds the DEQUANTIZE away and computes in float32,
  GPU delegates read the float16 kernel itself. Biases are float16 too: XNNPACK's WebAssembly build leaves a convolution
  with a float16 kernel and a float32 bias to a kernel that is five times slower (see docs/decisions/0020). The norms'
  vectors stay float32.
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

_BIAS_INPUTS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "TRANSPOSE_CONV": 3, "FULLY_CONNECTED": 2}

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
        kernel, bias = _KERNEL_INPUTS.get(operator.code), _BIAS_INPUTS.get(operator.code)
        if kernel is None or bias is None or not _fits_float16(operator.inputs[kernel]):
            continue
        for index in (kernel, bias):
            tensor = operator.inputs[index] if index < len(operator.inputs) else None
            if tensor is None or not _fits_float16(tensor):
                continue
            if id(tensor) not in dequantized:
                assert tensor.data is not None
                stored = Tensor(
                    f"{tensor.name}/half", tensor.shape, np.dtype(np.float16), tensor.data.astype(np.float16)
                )
                # Version 3 is the first that takes float16.
                dequantizers.append(Operator("DEQUANTIZE", [stored], [Tensor(tensor.name, tensor.shape)], version=3))
                dequantized[id(tensor)] = dequantizers[-1].outputs[0]
            operator.inputs[index] = dequantized[id(tensor)]
    return [*dequantizers, *operators]


def _fits_float16(tensor: Tensor) -> bool:
    return tensor.data is not None and bool(np.abs(tensor.data).max(initial=0.0) <= _FLOAT16_MAX)


def store_int8(operators: list[Operator]) -> list[Operator]:
    """Store the weights that the graph quantizes to 8 bits as int8, each behind a DEQUANTIZE.

    Args:
        operators: In order; their inputs are replaced.
    """
    dequantizers: dict[int, Operator] = {}
    for operator, index, kernel in _quantized_kernels(operators):
        if id(kernel) not in dequantizers:
            # Version 2 is the first that takes int8, and its kernel reads a scale for each channel as well. Version 5,
            # which says so, is refused by LiteRT's GPU engine: it takes 3 at most, and reads these scales.
            output = Tensor(kernel.name, kernel.shape)
            dequantizers[id(kernel)] = Operator("DEQUANTIZE", [_quantize(kernel)], [output], version=2)
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
    """Take out the quantizers of activations, which the runtime's kernels bring themselves, in place.

    Weights stay quantized, and so does what another tool rounded: its ranges cut values off, often in a Relu's place.
    """
    for node in tuple(model.graph):
        if node.graph is None or node.op_type != "DequantizeLinear" or constant(node.inputs[0]) is not None:
            continue
        quantizer = edit.producer(node.inputs[0], "DynamicQuantizeLinear")
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
