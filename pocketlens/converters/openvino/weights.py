"""How an OpenVINO IR stores 8-bit weights: int8 constants, converted to float32 and multiplied by a scale a channel."""

import hashlib
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.quantized_weights import AffineQuantizedWeights, quantized_weights_of


def store_int8(network: Any, model: ir.Model) -> None:
    """Store each constant that the graph quantizes to 8 bits as int8, in place.

    OpenVINO folds the graph's own DequantizeLinear of constants while it reads the network, so the constants are looked
    up by their values; a grouped kernel has an axis more here than in the graph.
    """
    from openvino import opset13 as ops

    quantized = {}
    for node in model.graph:
        weights = quantized_weights_of(node.outputs[0])
        if isinstance(weights, AffineQuantizedWeights):
            quantized[_key(weights.dequantize())] = weights
    for node in network.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type().get_type_name() != "f32":
            continue
        weights = quantized.get(_key(np.asarray(node.data)))
        shape = tuple(node.get_output_shape(0))
        if weights is None or (scales := _scales(weights, shape)) is None:
            continue
        integers = ops.constant(np.ascontiguousarray(weights.values.reshape(shape)), dtype=np.int8)
        dequantized = ops.multiply(ops.convert(integers, "f32"), ops.constant(scales, dtype=np.float32))
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(dequantized.output(0))


def _key(array: NDArray[Any]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(array, np.float32).tobytes()).digest()


def _scales(weights: AffineQuantizedWeights, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """The scales in a shape that broadcasts against the constant's; None if the constant's layout is unknown."""
    if shape == weights.values.shape:
        broadcast = [1] * len(shape)
        broadcast[weights.axis] = -1
        return weights.scales.reshape(broadcast)
    is_grouped = len(shape) == weights.values.ndim + 1 and shape[2:] == weights.values.shape[1:]
    if weights.axis == 0 and is_grouped and shape[0] * shape[1] == len(weights.scales):
        return weights.scales.reshape(*shape[:2], *[1] * (len(shape) - 2))
    return None
