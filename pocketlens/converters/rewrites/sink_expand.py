"""Values are not spread over a picture where the operator that reads them spreads them by itself."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

BROADCASTING = ("Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum", "Where")
"""Operators that broadcast their inputs against each other; PRelu only the second."""
_ELEMENTWISE = (
    *BROADCASTING,
    "Abs",
    "Clip",
    "Exp",
    "LeakyRelu",
    "Log",
    "Neg",
    "Reciprocal",
    "Relu",
    "Sigmoid",
    "Sqrt",
    "Tanh",
)  # fmt: skip


class SinkExpand(NodePass):
    """A value is not spread over a picture before an elementwise operator that spreads it by itself.

    Exact: ``f(expand(x), y) = f(x, y)`` where y alone gives the result its shape, and else ``expand(f(x, y))``, since
    every copy is computed from the same numbers. The second needs that nobody else reads the Expand, and a smaller
    result.
    """

    operators = _ELEMENTWISE

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        shape = edit.shape_of(node.outputs[0])
        if shape is None:
            return False
        for index, value in enumerate(node.inputs):
            expand = edit.producer(value, "Expand")
            small = edit.shape_of(expand.inputs[0]) if expand is not None else None
            if expand is None or small is None or (node.op_type == "PRelu" and index != 1):
                continue
            shapes = [
                small if i == index else edit.shape_of(other)
                for i, other in enumerate(node.inputs)
                if other is not None
            ]
            if any(other is None for other in shapes):
                continue
            before = np.broadcast_shapes(*shapes)  # type: ignore[arg-type]
            if before == shape:
                node.replace_input_with(index, expand.inputs[0])
                edit.prune(expand)
                return True
            if len(before) == len(shape) and edit.only_consumer(expand.outputs[0]) is node:
                _expand_behind(model, node, index, before, shape)
                return True
        return False


def _expand_behind(model: ir.Model, node: ir.Node, index: int, before: tuple[int, ...], shape: tuple[int, ...]) -> None:
    editor = edit.Editor(model, node)
    expand = node.inputs[index].producer()  # type: ignore[union-attr]
    assert expand is not None
    inputs = [expand.inputs[0] if i == index else other for i, other in enumerate(node.inputs)]
    result = editor.add(node.op_type, inputs, before, node.attributes.values())
    size = editor.constant(np.array(shape, np.int64), "size")
    edit.replace(node.outputs[0], editor.add("Expand", [result, size], shape))


class ShrinkConstants(NodePass):
    """A constant that is the same along an axis is kept once there, where its reader spreads it again.

    Exact: that is what broadcasting means. It undoes what an exporter, or folding, has written out: a scale a channel
    that was expanded to the size of the picture.
    """

    operators = tuple(name for name in BROADCASTING if name != "PRelu")

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        changed = False
        for index, value in enumerate(node.inputs):
            array = constant(value)
            if value is None or array is None or array.size < 2 or value.producer() is not None:
                continue
            others = [edit.shape_of(other) for i, other in enumerate(node.inputs) if other is not None and i != index]
            if any(other is None for other in others):
                continue
            small = _shrunk(array, others, edit.shape_of(node.outputs[0]))  # type: ignore[arg-type]
            if small.size < array.size:
                editor = edit.Editor(model, node)
                node.replace_input_with(index, editor.constant(np.ascontiguousarray(small), "small"))
                changed = True
        return changed


def _shrunk(array: np.ndarray, others: list[tuple[int, ...]], shape: tuple[int, ...] | None) -> np.ndarray:
    """The array without what it repeats, as far as it still gives that shape together with the others."""
    for axis in range(array.ndim):
        first = array.take([0], axis)
        gives_shape = np.broadcast_shapes(first.shape, *others) == shape
        if array.shape[axis] > 1 and gives_shape and (array == first).all():
            array = first
    return array
