"""How the graph holds quantized weights: two forms, both standard ONNX, so that onnxruntime plays the graph as it is.

- *affine*: ``DequantizeLinear(int8 values, float32 scales, axis)``, symmetric, a scale for each output channel;
- *look-up table* (LUT, in Core ML's words a palette): ``Gather(float32 table, int32 indices)``, one table a tensor.

Scales and tables are numbers that float16 has, because Core ML keeps them in float16: the same weights everywhere.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub

LEVELS = 127
"""Symmetric: -127..127, so that a negated weight is quantized to the negated integer."""


@dataclass(frozen=True, eq=False)
class AffineQuantizedWeights:
    """Weights as integers times a scale.

    Attributes:
        values: ``int8``, of the weights' shape.
        scales: ``float32``, one for each channel of ``axis``.
        axis: The axis of output channels.
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]
    axis: int

    def dequantize(self) -> NDArray[np.float32]:
        """The weights that these integers stand for."""
        shape = [1] * self.values.ndim
        shape[self.axis] = -1
        return self.values.astype(np.float32) * self.scales.reshape(shape)


@dataclass(frozen=True, eq=False)
class LutWeights:
    """Weights as indices into a look-up table.

    Attributes:
        table: ``float32 [2^bits]``, ascending.
        indices: ``uint8``, of the weights' shape.
    """

    table: NDArray[np.float32]
    indices: NDArray[np.uint8]

    def dequantize(self) -> NDArray[np.float32]:
        """The weights that these indices stand for."""
        return self.table[self.indices]


QuantizedWeights = AffineQuantizedWeights | LutWeights


def pack_indices(weights: LutWeights) -> NDArray[np.uint8]:
    """The indices as a row of bits, each index's least significant first, filled up to whole bytes.

    Example:
        >>> pack_indices(LutWeights(np.zeros(4, np.float32), np.uint8([0, 3, 2, 1, 2]))).tolist()
        [108, 2]
    """
    bits = len(weights.table).bit_length() - 1
    columns = weights.indices.reshape(-1, 1) >> np.arange(bits, dtype=np.uint8) & 1
    return np.packbits(columns.reshape(-1), bitorder="little")


def insert_dequantize(model: ir.Model, value: ir.Value, weights: QuantizedWeights) -> None:
    """Let every reader of a constant of the graph read its quantized form instead."""
    name = value.name or "weight"
    if isinstance(weights, AffineQuantizedWeights):
        constants: dict[str, NDArray[np.generic]] = {f"{name}_q": weights.values, f"{name}_scale": weights.scales}
        operator, axis = "DequantizeLinear", weights.axis
    else:
        constants = {f"{name}_table": weights.table, f"{name}_indices": weights.indices.astype(np.int32)}
        operator, axis = "Gather", 0
    inputs = [hub.add_constant(model, constant, array) for constant, array in constants.items()]
    node = ir.node(operator, inputs, {"axis": axis}, name=f"{name}_decoded")
    output = node.outputs[0]
    output.name, output.shape, output.dtype = f"{name}_decoded", value.shape, ir.DataType.FLOAT
    for reader, index in tuple(value.uses()):
        reader.replace_input_with(index, output)
    model.graph.insert_before(model.graph[0], node)
    del model.graph.initializers[str(value.name)]


def quantized_weights_of(value: ir.Value | None) -> QuantizedWeights | None:
    """The quantized weights that a value stands for; None if it is anything else, or quantized in another form.

    A scale for the whole tensor is read as one for each channel of axis 0.
    """
    node = value.producer() if value is not None else None
    if node is None or node.op_type not in ("DequantizeLinear", "Gather"):
        return None
    arrays = [hub.initializer(v) for v in node.inputs]
    first, second = arrays[0], arrays[1]
    if first is None or second is None:
        return None
    if node.op_type == "Gather":
        if first.ndim != 1 or first.dtype != np.float32 or first.size > 256:
            return None
        return LutWeights(first.astype(np.float32), second.astype(np.uint8))
    zero = arrays[2] if len(arrays) > 2 else None
    if first.dtype != np.int8 or first.ndim == 0 or (zero is not None and zero.any()):
        return None
    axis = hub.integer(node, "axis", 1) % first.ndim
    if second.size == 1:
        axis, second = 0, np.full(first.shape[0], second.reshape(-1)[0])
    return AffineQuantizedWeights(first.astype(np.int8), second.astype(np.float32).reshape(-1), axis)
