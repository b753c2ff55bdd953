"""Colour tables and bilateral grids: looking up in two or three dimensions, in terms of a matrix product."""

import math

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import NodePass

MAX_BYTES = {5: 1 << 29, 4: 1 << 26}
"""By axes of the table, the largest value that the decomposition may compute, in bytes: one number a pixel and entry of
a plane of the table. Less where there are two dimensions, which ONNX and OpenVINO sample themselves.
"""


class DecomposeTables(NodePass):
    """Decompose GridSample over volumes, which no target but ONNX takes, and over small planes, which TFLite and Core
    ML do not take.

    Exact: linear interpolation at p weighs entry k with ``relu(1 - |p - k|)``, which is 0 for all but two of them. In
    three dimensions the weight is the product of three such hats, so that a picture is ``Σ_d hat_d Σ_hw table[d, hw]
    hat_h hat_w``, and the inner sum is a matrix product. Outside of the table the hats fall to 0, which is
    ``padding_mode="zeros"``; for ``border`` p is clamped to the table first. The pass needs fixed shapes, one picture,
    linear interpolation, and a table whose planes times the picture fit :data:`MAX_BYTES`.
    """

    operators = ("GridSample",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        table, grid = (edit.shape_of(value) for value in node.inputs[:2])
        if table is None or grid is None or len(table) not in MAX_BYTES or table[0] != 1 or grid[0] != 1:
            return False
        mode, padding = hub.text(node, "mode", "linear"), hub.text(node, "padding_mode", "zeros")
        pixels = math.prod(grid[:-1])
        if mode not in ("linear", "bilinear") or padding not in ("zeros", "border"):
            return False
        if table[-2] * table[-1] * pixels * 4 > MAX_BYTES[len(table)]:
            return False
        edit.replace(node.outputs[0], _look_up(edit.Editor(model, node), node, table, pixels))
        return True


def _look_up(editor: edit.Editor, node: ir.Node, table: tuple[int, ...], pixels: int) -> ir.Value:
    channels, (height, width) = table[1], table[-2:]
    volume, grid = node.inputs[:2]
    shape = edit.shape_of(node.outputs[0])
    assert volume is not None
    assert grid is not None
    assert shape is not None
    axes = len(table) - 2
    order = [ir.AttrInt64s("perm", [1, 0])]
    places = editor.add("Transpose", [editor.reshape(grid, (pixels, axes))], (axes, pixels), order)
    across, down, *deep = (_hats(editor, node, places, i, length) for i, length in enumerate(reversed(table[2:])))
    plane = editor.add(
        "Mul",
        [editor.reshape(down, (height, 1, pixels)), editor.reshape(across, (1, width, pixels))],
        (height, width, pixels),
    )
    planes = math.prod(table[1:-2])
    rows = editor.reshape(volume, (planes, height * width))
    mixed = editor.add("MatMul", [rows, editor.reshape(plane, (height * width, pixels))], (planes, pixels))
    if not deep:
        return editor.reshape(mixed, shape)
    layers = (channels, table[2], pixels)
    weighed = editor.add("Mul", [editor.reshape(mixed, layers), editor.reshape(deep[0], (1, *layers[1:]))], layers)
    axis = editor.constant(np.array([1], np.int64), "axis")
    total = editor.add("ReduceSum", [weighed, axis], (channels, 1, pixels), [ir.AttrInt64("keepdims", 1)])
    return editor.reshape(total, shape)


def _hats(editor: edit.Editor, node: ir.Node, places: ir.Value, index: int, length: int) -> ir.Value:
    """How much of each entry along an axis every pixel takes: ``[length, pixels]``."""
    shape = edit.shape_of(places)
    assert shape is not None
    pixels = shape[1]
    bounds = [editor.constant(np.array([n], np.int64), f"{index}_{i}") for i, n in enumerate((index, index + 1, 0))]
    place = editor.add("Slice", [places, *bounds], (1, pixels))
    if hub.integer(node, "align_corners", 0):
        scale, shift = (length - 1) / 2, (length - 1) / 2
    else:
        scale, shift = length / 2, (length - 1) / 2
    for operator, number in (("Mul", scale), ("Add", shift)):
        place = editor.add(operator, [place, _number(editor, number, f"{index}_{operator}")], (1, pixels))
    if hub.text(node, "padding_mode", "zeros") == "border":
        limits = [_number(editor, number, f"{index}_{name}") for name, number in (("low", 0), ("high", length - 1))]
        place = editor.add("Clip", [place, *limits], (1, pixels))
    entries = editor.constant(np.arange(length, dtype=np.float32)[:, None], f"{index}_entries")
    away = editor.add("Abs", [editor.add("Sub", [place, entries], (length, pixels))], (length, pixels))
    near = editor.add("Sub", [_number(editor, 1, f"{index}_one"), away], (length, pixels))
    return editor.add("Relu", [near], (length, pixels))


def _number(editor: edit.Editor, number: float, name: str) -> ir.Value:
    return editor.constant(np.array(number, np.float32), name)
