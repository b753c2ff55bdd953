"""What passes have in common: making nodes in place of others, and taking out what nobody reads any more."""

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant


def shape_of(value: ir.Value | None) -> tuple[int, ...] | None:
    """The shape if every dimension is known, else None."""
    if value is None or value.shape is None or not all(isinstance(d, int) for d in value.shape):
        return None
    return tuple(int(d) for d in value.shape)  # type: ignore[arg-type]


def only_consumer(value: ir.Value | None) -> ir.Node | None:
    """The node that reads a value, if exactly one does, once, and the graph does not give it away."""
    if value is None or value.is_graph_output() or len(value.uses()) != 1:
        return None
    reader, _ = next(iter(value.uses()))
    return reader


def producer(value: ir.Value | None, *operators: str) -> ir.Node | None:
    """The node that computes a value, if it is one of these standard operators."""
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type in operators and not node.domain else None


def constant_integers(node: ir.Node, index: int) -> tuple[int, ...] | None:
    """A constant input as integers; None where it is absent or computed."""
    array = constant(node.inputs[index]) if len(node.inputs) > index else None
    return None if array is None else tuple(int(i) for i in array.reshape(-1))


def one_step(quantize: ir.Node, dequantize: ir.Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and zero point of a pair of quantizers that share one of each; None where they do not, or have no zero."""
    if len(quantize.inputs) < 3 or len(dequantize.inputs) < 3:
        return None
    scale, zero, again, same = (constant(node.inputs[place]) for node in (quantize, dequantize) for place in (1, 2))
    if scale is None or zero is None or again is None or same is None:
        return None
    if any(array.size != 1 for array in (scale, zero, again, same)):
        return None
    return (scale, zero) if scale == again and zero == same and zero.dtype == same.dtype else None


def constant_scalar(value: ir.Value | None) -> float | None:
    """The number that a constant of one element holds, else None."""
    array = constant(value)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 and array.dtype.kind == "f" else None


class Editor:
    """Adds nodes and constants in front of one node of a model.

    Args:
        model: The model.
        node: Everything that is added stands before it and is named after its output.
    """

    def __init__(self, model: ir.Model, node: ir.Node) -> None:
        self._model, self._node = model, node
        self._count = 0

    def constant(self, array: NDArray[np.generic], name: str) -> ir.Value:
        """A new initializer; ``name`` is the end of its name."""
        return hub.add_constant(self._model, f"{self._node.outputs[0].name}_{name}", array)

    def shared_constant(self, array: NDArray[np.generic], name: str) -> ir.Value:
        """An initializer with these values: one that is there, where there is one."""
        for value in self._model.graph.initializers.values():
            there = constant(value) if shape_of(value) == array.shape else None
            if there is not None and there.dtype == array.dtype and np.array_equal(there, array):
                return value
        return self.constant(array, name)

    def update_weight(self, weight: ir.Value, array: NDArray[np.generic]) -> ir.Value:
        """A weight with other values of the same shape: under its own name, unless others read it as it was."""
        if only_consumer(weight) is None or not weight.is_initializer():
            return self.constant(array, "weight")
        weight.const_value = ir.tensor(array, name=weight.name)
        return weight

    def add(
        self,
        operator: str,
        inputs: Sequence[ir.Value | None],
        shape: Iterable[int] | None,
        attributes: Iterable[ir.Attr] = (),
    ) -> ir.Value:
        """A new float node with one output of this shape."""
        again = f"_{self._count}" if self._count else ""
        self._count += 1
        name = f"{self._node.outputs[0].name}_{operator.lower()}{again}"
        output = ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT))
        output.shape = None if shape is None else ir.Shape(tuple(shape))
        node = ir.node(operator, inputs, outputs=[output])
        for attribute in attributes:
            node.attributes.add(attribute)
        assert self._node.graph is not None
        self._node.graph.insert_before(self._node, node)
        return output

    def concat(self, values: Sequence[ir.Value], axis: int) -> ir.Value:
        """Values one after the other along an axis; the value itself if it is the only one. Their shapes must be
        known.
        """
        if len(values) == 1:
            return values[0]
        shapes = [shape for value in values if (shape := shape_of(value)) is not None]
        whole = (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])
        return self.add("Concat", values, whole, [ir.AttrInt64("axis", axis)])

    def reshape(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        """``value`` with another shape; itself where it has it already."""
        if shape_of(value) == tuple(shape):
            return value
        return self.add("Reshape", [value, self.constant(np.array(shape, np.int64), "shape")], shape)

    def cast(self, value: ir.Value, kind: ir.DataType) -> ir.Value:
        """``value``, whose shape is fixed, in another type."""
        result = self.add("Cast", [value], hub.static_shape(value), [ir.AttrInt64("to", int(kind))])
        result.type = ir.TensorType(kind)
        return result

    def cut(self, value: ir.Value, bounds: Sequence[tuple[int, int]], name: str) -> ir.Value:
        """The part of a value from a place on up to another along each axis; ``name`` begins those of the constants'
        ends.
        """
        starts, ends = zip(*bounds, strict=True)
        numbers = [
            self.constant(np.array(values, np.int64), f"{name}_{i}")
            for i, values in enumerate((starts, ends, range(len(bounds))))
        ]
        return self.add("Slice", [value, *numbers], tuple(end - start for start, end in bounds))


def replace(old: ir.Value, new: ir.Value) -> None:
    """Let everything that reads ``old`` read ``new``, and take out the nodes that nobody needs then."""
    if new.shape is None:
        new.shape = old.shape
    if new.type is None:
        new.type = old.type
    node = old.producer()
    if old.is_graph_output():
        name = old.name
        old.name = f"{name}_replaced"
        new.name = name
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    if node is not None:
        prune(node)


def prune(node: ir.Node) -> None:
    """Remove a node that nobody reads, then those that only it read."""
    todo = [node]
    while todo:
        dead = todo.pop()
        if dead.graph is None or any(v.uses() or v.is_graph_output() for v in dead.outputs):
            continue
        sources = [v.producer() for v in dead.inputs if v is not None]
        dead.graph.remove(dead, safe=True)
        todo.extend(source for source in sources if source is not None)


def affine(model: ir.Model, value: ir.Value, scale: float, shift: float, name: str) -> ir.Value:
    """``value * scale + shift`` behind everything else; itself where that changes nothing."""
    for op, amount, neutral in (("Mul", scale, 1.0), ("Add", shift, 0.0)):
        if amount != neutral:
            term = hub.add_constant(model, f"{name}_{op.lower()}", np.array(amount, np.float32))
            node = ir.node(
                op, [value, term], name=f"{name}_{op.lower()}", outputs=[ir.Value(name=f"{name}_{op.lower()}_out")]
            )
            model.graph.append(node)
            value = node.outputs[0]
            value.dtype = ir.DataType.FLOAT
    return value
