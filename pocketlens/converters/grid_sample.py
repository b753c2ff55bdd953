"""Sampling a picture at computed places, for targets that have no GridSample: TFLite and Core ML."""

import math

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit

_CUBIC = -0.75
"""Keys' a, as ONNX has it."""


def decompose_grid_samples(model: ir.Model) -> ir.Model:
    """A copy of the graph in which pictures are sampled by Gather; the graph itself where nothing is sampled.

    Exact to float rounding: a place between pixels is the weighted sum of the 1 (``nearest``), 4 (``linear``) or 16
    (``cubic``) around it. Each is taken out of a table of all pixels by ``row * width + column``, in integers, so that
    fp16 is exact up to 2,048 rows and columns. Pixels outside are clamped, mirrored or count 0, as ``padding_mode``
    says. Small tables were decomposed before, by products
    (:class:`~pocketlens.converters.rewrites.decompose_tables.DecomposeTables`).
    """
    if not any(node.op_type == "GridSample" and not node.domain for node in model.graph):
        return model
    model = model.clone()
    for node in tuple(model.graph):
        shapes = [edit.shape_of(value) for value in node.inputs[:2]] if node.op_type == "GridSample" else []
        if [len(shape or ()) for shape in shapes] == [4, 4] and all(shape and shape[0] == 1 for shape in shapes):
            edit.replace(node.outputs[0], _Sampling(model, node).result())
    return model


class _Sampling:
    def __init__(self, model: ir.Model, node: ir.Node) -> None:
        self.node, self.editor = node, edit.Editor(model, node)
        self.mode = hub.text(node, "mode", "linear")
        self.padding = hub.text(node, "padding_mode", "zeros")
        self.corners = bool(hub.integer(node, "align_corners", 0))
        picture, grid = node.inputs[:2]
        assert picture is not None and grid is not None
        self.picture, self.grid = picture, grid
        _, self.channels, *self.lengths = hub.static_shape(picture)
        self.count = math.prod(hub.static_shape(grid)[:-1])

    def add(
        self,
        operator: str,
        *inputs: ir.Value | float,
        shape: tuple[int, ...] = (),
        attributes: list[ir.Attr] | None = None,
    ) -> ir.Value:
        values = [
            value
            if isinstance(value, ir.Value)
            else self.editor.constant(np.array(value, np.float32), f"{operator}_{i}")
            for i, value in enumerate(inputs)
        ]
        return self.editor.add(operator, values, shape or (self.count,), attributes or [])

    def result(self) -> ir.Value:
        height, width = self.lengths
        flat = self.editor.reshape(self.picture, (self.channels, height * width))
        order = [ir.AttrInt64s("perm", [1, 0])]
        table = self.add("Transpose", flat, shape=(height * width, self.channels), attributes=order)
        total: ir.Value | None = None
        columns, rows = (self._taps(i, length) for i, length in enumerate((width, height)))
        for row, down in rows:
            for column, across in columns:
                taken = self._take(table, row, column)
                weight = self.editor.reshape(self.add("Mul", down, across), (self.count, 1))
                part = self.add("Mul", taken, weight, shape=(self.count, self.channels))
                total = part if total is None else self.add("Add", total, part, shape=(self.count, self.channels))
        assert total is not None
        turned = self.add("Transpose", total, shape=(self.channels, self.count), attributes=order)
        return self.editor.reshape(turned, hub.static_shape(self.node.outputs[0]))

    def _take(self, table: ir.Value, row: ir.Value, column: ir.Value) -> ir.Value:
        width = self.editor.constant(np.array([self.lengths[1]], np.int64), "width")
        place = self._whole(self.add("Add", self._whole(self.add("Mul", row, width)), column))
        shape = (self.count, self.channels)
        return self.add("Gather", table, place, shape=shape, attributes=[ir.AttrInt64("axis", 0)])

    def _taps(self, index: int, length: int) -> list[tuple[ir.Value, ir.Value]]:
        """Along one axis: the places that count, as integers, and how much."""
        at = self._place(index, length)
        if self.mode == "nearest":
            return [self._tap(self.add("Round", at), length, None)]
        floor = self.add("Floor", at)
        share = self.add("Sub", at, floor)
        if self.mode == "cubic":
            return [
                self._tap(self.add("Add", floor, float(step)), length, self._cubic(share, step))
                for step in range(-1, 3)
            ]
        return [
            self._tap(floor, length, self.add("Sub", 1.0, share)),
            self._tap(self.add("Add", floor, 1.0), length, share),
        ]

    def _place(self, index: int, length: int) -> ir.Value:
        """In pixels, from the first one's middle."""
        flat = self.editor.reshape(self.grid, (self.count, 2))
        bounds = [self.editor.constant(np.array([n], np.int64), f"axis_{index}") for n in (index, index + 1, 1)]
        column = self.editor.reshape(self.add("Slice", flat, *bounds, shape=(self.count, 1)), (self.count,))
        scale = (length - 1) / 2 if self.corners else length / 2
        return self.add("Add", self.add("Mul", column, scale), (length - 1) / 2)

    def _tap(self, at: ir.Value, length: int, weight: ir.Value | None) -> tuple[ir.Value, ir.Value]:
        """A whole place, taken into the picture as the padding says, and its weight."""
        if self.padding == "zeros":
            inside = self.add(
                "Mul",
                self.add("Clip", self.add("Add", at, 1.0), 0.0, 1.0),
                self.add("Clip", self.add("Sub", float(length), at), 0.0, 1.0),
            )
            weight = inside if weight is None else self.add("Mul", weight, inside)
        elif weight is None:
            weight = self.editor.constant(np.ones(self.count, np.float32), "whole")
        if self.padding == "reflection":
            at = self._mirrored(at, length)
        clipped = self.add("Clip", at, 0.0, float(length - 1))
        return self._whole(self.add("Cast", clipped, attributes=[ir.AttrInt64("to", int(ir.DataType.INT64))])), weight

    def _mirrored(self, at: ir.Value, length: int) -> ir.Value:
        """Mirrored at the middle of the outer pixels where corners are aligned, else at their outer ends."""
        low, span = (0.0, length - 1.0) if self.corners else (-0.5, float(length))
        if not span:
            return at
        away = self.add("Abs", self.add("Sub", at, low))
        turns = self.add("Floor", self.add("Mul", away, 1 / span))
        rest = self.add("Sub", away, self.add("Mul", turns, span))
        is_odd = self.add("Sub", turns, self.add("Mul", self.add("Floor", self.add("Mul", turns, 0.5)), 2.0))
        back = self.add("Mul", is_odd, self.add("Sub", span, self.add("Mul", rest, 2.0)))
        inside = self.add("Add", self.add("Add", rest, back), low)
        return self.add("Floor", self.add("Add", inside, 0.5))

    def _cubic(self, share: ir.Value, step: int) -> ir.Value:
        """Keys' kernel at the distance of one of the four places, by Horner's rule."""
        distance = self.add("Abs", self.add("Sub", share, float(step)))
        a = _CUBIC
        inner, outer = (a + 2, -(a + 3), 0.0, 1.0), (a, -5 * a, 8 * a, -4 * a)
        first, *others = inner if step in (0, 1) else outer
        value = self.add("Mul", distance, first)
        for i, coefficient in enumerate(others):
            value = self.add("Add", value, coefficient) if coefficient else value
            value = self.add("Mul", value, distance) if i < len(others) - 1 else value
        return value

    def _whole(self, value: ir.Value) -> ir.Value:
        value.type = ir.TensorType(ir.DataType.INT64)
        return value
