"""8-bit weights in OpenVINO's own form: a constant of int8, converted and multiplied by a scale for each output channel."""

import hashlib
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.coding.forms import Affine, coding_of


def compress(network: Any, model: ir.Model) -> None:
    """Replace each constant that the graph codes in 8 bits, in place.

    OpenVINO folds the graph's own DequantizeLinear of constants while the network is tidied, so the constants are found by
    what they hold; a grouped kernel has an axis more here than in the graph.
    """
    from openvino import opset13 as ops

    coded = {}
    for node in model.graph:
        coding = coding_of(node.outputs[0])
        if isinstance(coding, Affine):
            coded[_key(coding.floats())] = coding
    for node in network.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type().get_type_name() != "f32":
            continue
        coding = coded.get(_key(np.asarray(node.data)))
        shape = tuple(node.get_output_shape(0))
        if coding is None or (scales := _scales(coding, shape)) is None:
            continue
        values = ops.constant(np.ascontiguousarray(coding.values.reshape(shape)), dtype=np.int8)
        wide = ops.multiply(ops.convert(values, "f32"), ops.constant(scales, dtype=np.float32))
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(wide.output(0))


def _key(array: NDArray[Any]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(array, np.float32).tobytes()).digest()


def _scales(coding: Affine, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """The scales, of a shape that meets the constant's; None where it is laid out in a way that is not known here."""
    if shape == coding.values.shape:
        spread = [1] * len(shape)
        spread[coding.axis] = -1
        return coding.scales.reshape(spread)
    grouped = len(shape) == coding.values.ndim + 1 and shape[2:] == coding.values.shape[1:]
    if coding.axis == 0 and grouped and shape[0] * shape[1] == len(coding.scales):
        return coding.scales.reshape(*shape[:2], *[1] * (len(shape) - 2))
    return None
