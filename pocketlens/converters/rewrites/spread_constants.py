"""A constant that repeats a few numbers over the picture is stored once, and spread while the file is played."""

from itertools import groupby

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

LARGE = 1 << 14
"""Elements from which on a constant is worth a node: those of a mask of 128 x 128."""
RATIO = 64
"""How many times smaller it has to become."""


def is_spread_for_concat(node: ir.Node) -> bool:
    """Whether a node spreads few numbers over a picture, and only Concats read them: it stays a node."""
    if node.op_type != "Expand" or node.domain or not node.outputs[0].uses():
        return False
    before, after = edit.shape_of(node.inputs[0]), edit.shape_of(node.outputs[0])
    if before is None or after is None or not all(reader.op_type == "Concat" for reader, _ in node.outputs[0].uses()):
        return False
    return _is_worth_it(int(np.prod(before)), int(np.prod(after)))


class SpreadConstants(NodePass):
    """Let a Concat read an Expand of few numbers instead of a constant that repeats them.

    Exact: the numbers are the same. A label, a noise level or coordinates beside the picture are such constants: five
    channels of 720 x 1280 are 18 MB, of five numbers. Other readers broadcast by themselves (ShrinkConstants).
    """

    operators = ("Concat",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        changed = False
        editor, axis = edit.Editor(model, node), hub.integer(node, "axis", 0)
        inputs: list[ir.Value | None] = []
        for value in node.inputs:
            array = hub.initializer(value)
            parts = None if array is None or array.dtype.kind != "f" else _parts(array, axis)
            inputs += [value] if parts is None or array is None else _expands(editor, parts)
            changed = changed or parts is not None
        if changed:
            result = editor.add("Concat", inputs, edit.shape_of(node.outputs[0]), node.attributes.values())
            edit.replace(node.outputs[0], result)
        return changed


def _parts(array: NDArray[np.generic], axis: int) -> list[tuple[NDArray[np.generic], tuple[int, ...]]] | None:
    """The small arrays that a constant repeats, one behind the other along an axis, each with the shape that it has
    spread; None where they are not much smaller.
    """
    if array.size < LARGE:
        return None
    axis %= array.ndim
    slices = [array.take([index], axis) for index in range(array.shape[axis])]
    parts = []
    shrunk = [_shrunk(part, axis) for part in slices]
    for _, indices in groupby(range(len(shrunk)), key=lambda index: shrunk[index].shape):
        places = list(indices)
        small = np.concatenate([shrunk[index] for index in places], axis)
        shape = tuple(len(places) if i == axis else length for i, length in enumerate(array.shape))
        parts.append((small, shape))
    return parts if _is_worth_it(sum(small.size for small, _ in parts), array.size) else None


def _shrunk(array: NDArray[np.generic], kept: int) -> NDArray[np.generic]:
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if axis != kept and array.shape[axis] > 1 and (array == first).all():
            array = first
    return array


def _expands(editor: edit.Editor, parts: list[tuple[NDArray[np.generic], tuple[int, ...]]]) -> list[ir.Value | None]:
    values: list[ir.Value | None] = []
    for index, (small, shape) in enumerate(parts):
        numbers = editor.constant(np.ascontiguousarray(small), f"numbers_{index}")
        size = editor.constant(np.array(shape, np.int64), f"size_{index}")
        values.append(editor.add("Expand", [numbers, size], shape) if small.shape != shape else numbers)
    return values


def _is_worth_it(small: int, large: int) -> bool:
    return large >= LARGE and small * RATIO <= large
