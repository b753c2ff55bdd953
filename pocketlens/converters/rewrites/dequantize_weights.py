"""Weights that another tool has quantized become the floats that they stand for."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import GraphPass

_INTEGERS = ("INT4", "UINT4", "INT8", "UINT8", "INT16", "UINT16", "INT32")


class DequantizeWeights(GraphPass):
    """Compute each DequantizeLinear of a constant, as files in QDQ form have one for every weight and bias, and each
    QuantizeLinear of one to 8 bits, which stands before numbers.

    Exact: ``(integer - zero_point) * scale`` in float32, as the operator computes it. The weights keep the values that
    the other tool rounded them to; what it rounds of the picture's own values stays as it is.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace them in the main graph."""
        modified = False
        for node in tuple(model.graph):
            weights = _weights(node)
            array = _rounded(node) if weights is None else weights
            if array is None:
                continue
            value = ir.Value(name=f"{node.outputs[0].name}_weights", const_value=ir.tensor(array))
            value.shape, value.dtype = ir.Shape(array.shape), ir.DataType.from_numpy(array.dtype)
            model.graph.register_initializer(value)
            edit.replace(node.outputs[0], value)
            modified = True
        return ir.passes.PassResult(model, modified)


def _weights(node: ir.Node) -> NDArray[np.float32] | None:
    """The floats of a DequantizeLinear of constants; None for every other node, and where its scales go by blocks."""
    if node.op_type != "DequantizeLinear" or node.domain or hub.integer(node, "block_size", 0):
        return None
    if node.inputs[0] is None or node.inputs[0].dtype is None or node.inputs[0].dtype.name not in _INTEGERS:
        return None
    constants = [hub.initializer(value) for value in node.inputs if value is not None]
    if len(constants) < 2 or any(array is None for array in constants):
        return None
    integers, *numbers = (np.asarray(array) for array in constants)
    axis = hub.integer(node, "axis", 1)
    if any(array.ndim > 1 or array.size != numbers[0].size for array in numbers):
        return None
    if numbers[0].size > 1 and not -integers.ndim <= axis < integers.ndim:
        return None
    along = [1] * integers.ndim
    if numbers[0].size > 1:
        along[axis] = -1
    scale, *zero = (array.reshape(along) for array in numbers)
    shifted = integers.astype(np.int64) - zero[0].astype(np.int64) if zero else integers
    floats: NDArray[np.float32] = shifted.astype(np.float32) * scale.astype(np.float32)
    return floats


def _rounded(node: ir.Node) -> NDArray[np.generic] | None:
    """The integers of a QuantizeLinear of constants with one scale; None for every other node."""
    if node.op_type != "QuantizeLinear" or node.domain or len(node.inputs) != 3:
        return None
    floats, scale, zero = (hub.initializer(value) for value in node.inputs)
    if floats is None or scale is None or zero is None or scale.size != 1 or zero.dtype not in (np.int8, np.uint8):
        return None
    exact: NDArray[np.float32] = floats.astype(np.float32) / scale.astype(np.float32).reshape(())
    steps: NDArray[np.float32] = np.rint(exact) + zero.astype(np.float32).reshape(())
    if zero.dtype == np.uint8:
        return np.clip(steps, 0, 255).astype(np.uint8)
    return np.clip(steps, -128, 127).astype(np.int8)
