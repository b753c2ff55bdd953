"""Pads that the NPU's compiler would fill with something else than the graph says, in a form that it gets right.

Of onnxruntime-qnn 2.7.0, where columns lie side by side in memory (docs/upstream.md): a number at the right and nothing
at the left, and columns that are repeated. It merges Pads and Concats with constants that follow each other, so that
neither helps.
"""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant


def keep_pads_exact(model: ir.Model) -> int:
    """Write such Pads as a Gather for each axis and, where they fill with a number, a product with 0 and 1, in place.

    Exact: a Gather that takes the first or last column again repeats it; times 1, numbers stay, and times 0 plus the
    number of the Pad they are that number. Between two nodes of integers stand quantizers of the same scale.

    Returns:
        How many there are.
    """
    pads = [node for node in model.graph if node.op_type == "Pad" and _is_filled_wrongly(node)]
    for node in pads:
        _Replacement(model, node).insert()
    return len(pads)


def _is_filled_wrongly(node: ir.Node) -> bool:
    pads, mode = hub.pads(node), hub.text(node, "mode", "constant")
    if pads is None or len(pads) != 4 or min(map(min, pads)) < 0 or max(map(max, pads[:2])) > 0:
        return False
    left, right = pads[3]
    return right > 0 and left == 0 if mode == "constant" else mode == "edge" and max(left, right) > 0


class _Replacement:
    """The nodes that stand in for a Pad."""

    def __init__(self, model: ir.Model, node: ir.Node) -> None:
        source, padded, pads = node.inputs[0], node.outputs[0], hub.pads(node)
        assert source is not None and pads is not None
        self._model, self._node, self._padded, self._pads, self._value = model, node, padded, pads, source
        maker = source.producer()
        self._quantizer = maker if maker is not None and maker.op_type == "DequantizeLinear" else None
        self._integers = self._quantizer.inputs[0] if self._quantizer is not None else None
        self._count = 0

    def insert(self) -> None:
        size = hub.static_shape(self._value)
        for axis in (2, 3):
            before, after = self._pads[axis]
            if before or after:
                order = np.arange(-before, size[axis] + after).clip(0, size[axis] - 1)
                self._compute("Gather", hub.add_constant(self._model, f"{self._node.name}_order", order), axis=axis)
        if hub.text(self._node, "mode", "constant") == "constant":
            outside = np.pad(np.zeros((1, 1, *size[2:]), np.uint8), self._pads, constant_values=1)
            fill = constant(self._node.inputs[2]) if len(self._node.inputs) > 2 else None
            self._compute("Mul", self._levels(1 - outside, 1.0))
            if fill is not None and fill.any():
                self._compute("Add", self._levels(outside, float(fill)))
        ir.convenience.replace_all_uses_with(self._padded, self._value)
        self._model.graph.remove(self._node, safe=True)

    def _compute(self, operator: str, other: ir.Value, **attributes: int) -> None:
        """One more node on the value; of integers through quantizers first, behind another node."""
        if self._count and self._quantizer is not None:
            assert self._integers is not None
            for step, kind in (("QuantizeLinear", self._integers.type), ("DequantizeLinear", self._padded.type)):
                self._append(step, [self._value, *self._quantizer.inputs[1:]], hub.static_shape(self._value), kind)
        shape = list(hub.static_shape(self._value))
        for axis in attributes.values():
            shape[axis] = hub.static_shape(other)[0]
        self._append(operator, [self._value, other], shape, self._padded.type, **attributes)

    def _levels(self, levels: NDArray[np.uint8], size: float) -> ir.Value:
        """A constant of 0 and one number, as integers where the Pad pads integers."""
        name = f"{self._node.name}_{size:g}"
        if self._integers is None:
            return hub.add_constant(self._model, name, levels.astype(np.float32) * np.float32(size))
        kind = np.uint8 if self._integers.dtype == ir.DataType.UINT8 else np.uint16
        # 0 is the integer 1 where the other number is below it.
        zero, integers = (1, 1 - levels) if size < 0 else (0, levels)
        inputs = [
            hub.add_constant(self._model, f"{name}_{part}", np.asarray(array))
            for part, array in (
                ("levels", integers.astype(kind)),
                ("scale", np.float32(abs(size))),
                ("zero", kind(zero)),
            )
        ]
        value = ir.Value(name=f"{inputs[0].name}_real", shape=inputs[0].shape, type=self._padded.type)
        step = ir.node("DequantizeLinear", inputs, name=value.name, outputs=[value])
        self._model.graph.insert_before(self._node, step)
        return value

    def _append(
        self, operator: str, inputs: list[ir.Value | None], shape: object, kind: object, **attributes: int
    ) -> None:
        self._count += 1
        name = f"{self._padded.name}_{operator}_{self._count}"
        value = ir.Value(name=name, shape=ir.Shape(shape), type=kind)  # type: ignore[arg-type]
        step = ir.node(operator, inputs, attributes, name=name, outputs=[value])
        self._model.graph.insert_before(self._node, step)
        self._value = value
