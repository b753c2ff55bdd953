"""Guided output: a generator computes on a small picture, and its result is applied to the large one.

In every window of the small picture the generator's result is explained by a line, ``stylized = gain * image +
offset``, fitted by least squares; gain and offset are enlarged bilinearly and applied to the large picture. Edges are
then those of the large picture, as sharp as they came in. This is the fast guided filter of He and Sun (2015,
arXiv:1505.00996), after He, Sun and Tang (2010), with four changes:

- one gain for all colours, fitted over the three of them together: six planes to enlarge become four, at the same
  score;
- a line for each :data:`CELL` x :data:`CELL` pixels of the small picture, fitted to the means of such cells and not to
  pixels: a sixteenth of the work, at a higher score;
- means are centred by the mean of their window before products are taken, so that no variance is a small difference of
  large numbers, which half precision cannot hold;
- what the lines leave over, a generator's own strokes, can be added again, enlarged.

The arithmetic stands here twice: as operators of the graph, and in NumPy for the teacher that files are compared with.
"""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import edit
from pocketlens.errors import InputError
from pocketlens.images import Floats

CELL = 4
"""There is a line for each square of so many pixels of the small picture, each way."""
_WINDOW = 5
"""A line is fitted to so many cells, each way."""
_UNIT = 1 / 16
"""Differences are taken in units of 16 of 255: squares then neither leave half precision nor fall below its normal
numbers."""
EPSILON = 0.025
"""Variance, in these units, at which half of the gain is left: that of 2.5 of 255, a camera's noise. Where a window is
flatter, the gain goes to 0."""


def guided_graph(model: ir.Model, shrink: int, strokes: float) -> ir.Model:
    """Put a generator's graph behind a shrinking and in front of a guided upsampling.

    Args:
        model: The graph of the generator at the small size; changed in place.
        shrink: How many times larger the picture is, each way.
        strokes: The share, 0..1, of what the line leaves over that is added again.

    Returns:
        The same model; it takes and gives the large picture.

    Raises:
        InputError: The generator's picture has another size than the one that it gets.

    Example:
        >>> from pocketlens.models.export import export
        >>> from pocketlens.converters.ranges import Ranges
        >>> import torch
        >>> small = export(torch.nn.Conv2d(3, 3, 3, padding=1), 16, 24, Ranges())
        >>> hub.size(guided_graph(small, 4, 0.0))
        (64, 96)
    """
    height, width = hub.size(model)
    if hub.output_size(model) != (height, width):
        raise InputError(
            f"the generator takes {height} x {width} and gives {' x '.join(map(str, hub.output_size(model)))}, which "
            "guided output cannot apply to the picture",
            do="leave out guided in the recipe",
        )
    graph, image = model.graph, model.graph.inputs[0]
    small = _shrunk(model, image, shrink)
    stylized = graph.outputs[0]
    stylized.name = "small_stylized"
    last = ir.node("Clip", [None], name="guided_clamp", outputs=[ir.Value(name=hub.OUTPUT)])
    graph.append(last)
    guided = _Tail(edit.Editor(model, last)).applied(image, small, stylized, shrink, strokes)
    low, high = (hub.add_constant(model, f"guided_{name}", np.array(v, np.float32)) for name, v in _LIMITS)
    graph.remove(last)
    clamp = ir.node("Clip", [guided, low, high], name="guided_clamp", outputs=[ir.Value(name=hub.OUTPUT)])
    clamp.outputs[0].shape, clamp.outputs[0].dtype = image.shape, ir.DataType.FLOAT
    graph.append(clamp)
    graph.outputs[0] = clamp.outputs[0]
    hub.check(model)
    return model


_LIMITS = (("low", 0.0), ("high", 255.0))


def _shrunk(model: ir.Model, image: ir.Value, shrink: int) -> ir.Value:
    """Let everything that reads the picture read its means over squares of ``shrink`` pixels."""
    height, width = hub.size(model)
    readers = tuple(image.uses())
    image.shape = ir.Shape((1, 3, height * shrink, width * shrink))
    attributes = {"kernel_shape": [shrink, shrink], "strides": [shrink, shrink]}
    small = ir.Value(name="small_image", shape=ir.Shape((1, 3, height, width)), type=ir.TensorType(ir.DataType.FLOAT))
    pool = ir.node("AveragePool", [image], attributes, name="guided_shrink", outputs=[small])
    model.graph.insert_before(model.graph[0], pool)
    for node, index in readers:
        node.replace_input_with(index, small)
    if model.graph.outputs[0] is image:
        model.graph.outputs[0] = small
    return small


class _Tail:
    """The operators behind the generator."""

    def __init__(self, editor: edit.Editor) -> None:
        self._editor = editor

    def applied(self, image: ir.Value, small: ir.Value, stylized: ir.Value, shrink: int, strokes: float) -> ir.Value:
        """The large picture, not clamped yet."""
        cells_in, cells_out = self._cells(small), self._cells(stylized)
        mean_in, mean_out = self._means(cells_in), self._means(cells_out)
        unit = self._editor.constant(np.array(_UNIT, np.float32), "unit")
        centred_in = self._op("Mul", self._op("Sub", cells_in, mean_in), unit)
        centred_out = self._op("Mul", self._op("Sub", cells_out, mean_out), unit)
        covariance = self._over_colours(self._op("Mul", centred_in, centred_out))
        variance = self._over_colours(self._op("Mul", centred_in, centred_in))
        floor = self._editor.constant(np.array(EPSILON, np.float32), "epsilon")
        gain = self._op("Div", covariance, self._op("Add", variance, floor))
        offset = self._op("Sub", mean_out, self._op("Mul", gain, mean_in))
        factor = CELL * shrink
        guided = self._op("Mul", self._enlarged(gain, factor), image)
        if not strokes:
            return self._op("Add", guided, self._enlarged(offset, factor))
        offset = self._enlarged(offset, CELL)
        line = self._op("Add", self._op("Mul", self._enlarged(gain, CELL), small), offset)
        share = self._editor.constant(np.array(strokes, np.float32), "strokes")
        offset = self._op("Add", offset, self._op("Mul", self._op("Sub", stylized, line), share))
        return self._op("Add", guided, self._enlarged(offset, shrink))

    def _op(self, operator: str, a: ir.Value, b: ir.Value) -> ir.Value:
        shapes = [hub.static_shape(value) for value in (a, b)]
        return self._editor.add(operator, [a, b], np.broadcast_shapes(*shapes))

    def _cells(self, value: ir.Value) -> ir.Value:
        """The mean of each cell."""
        *channels, height, width = hub.static_shape(value)
        attributes = [ir.AttrInt64s(name, [CELL, CELL]) for name in ("kernel_shape", "strides")]
        return self._editor.add("AveragePool", [value], (*channels, height // CELL, width // CELL), attributes)

    def _means(self, cells: ir.Value) -> ir.Value:
        """The means over the window of each cell; what lies beyond the picture's edge does not count."""
        window = [ir.AttrInt64s("kernel_shape", [_WINDOW] * 2), ir.AttrInt64s("pads", [_WINDOW // 2] * 4)]
        return self._editor.add("AveragePool", [cells], hub.static_shape(cells), window)

    def _over_colours(self, value: ir.Value) -> ir.Value:
        """The means over colours and windows: colours first, so that one plane is averaged, not three."""
        batch, _, *size = hub.static_shape(value)
        axes = self._editor.constant(np.array([1], np.int64), "colours")
        grey = self._editor.add("ReduceMean", [value, axes], (batch, 1, *size), [ir.AttrInt64("keepdims", 1)])
        return self._means(grey)

    def _enlarged(self, value: ir.Value, factor: int) -> ir.Value:
        *channels, height, width = hub.static_shape(value)
        scales = self._editor.constant(np.array([1, 1, factor, factor], np.float32), "scales")
        large = (*channels, height * factor, width * factor)
        attributes = [
            ir.AttrString("mode", "linear"),
            ir.AttrString("coordinate_transformation_mode", "half_pixel"),
        ]
        return self._editor.add("Resize", [value, None, scales], large, attributes)


def shrink_picture(picture: NDArray[np.number], shrink: int) -> Floats:
    """Means over squares of ``shrink`` pixels: ``[H, W, 3]`` to ``float32 [H / shrink, W / shrink, 3]``."""
    height, width, channels = picture.shape
    squares = picture.reshape(height // shrink, shrink, width // shrink, shrink, channels)
    small: Floats = squares.mean((1, 3), dtype=np.float64).astype(np.float32)
    return small


def apply_guided(picture: NDArray[np.number], stylized: Floats, shrink: int, strokes: float) -> Floats:
    """Apply a small result to the large picture, as the operators of :func:`guided_graph` do.

    Args:
        picture: The large picture, ``[H, W, 3]``, 0..255.
        stylized: What the generator made of :func:`shrink_picture`, ``[H / shrink, W / shrink, 3]``, 0..255.
        shrink: How many times smaller that is, each way.
        strokes: The share of what the line leaves over that is added again.

    Returns:
        ``float32 [H, W, 3]``, 0..255.
    """
    small, target = shrink_picture(picture, shrink).astype(np.float64), stylized.astype(np.float64)
    cells_in, cells_out = _cells(small), _cells(target)
    mean_in, mean_out = _means(cells_in), _means(cells_out)
    centred_in, centred_out = (cells_in - mean_in) * _UNIT, (cells_out - mean_out) * _UNIT
    covariance = _means((centred_in * centred_out).mean(2, keepdims=True))
    variance = _means((centred_in * centred_in).mean(2, keepdims=True))
    gain = covariance / (variance + EPSILON)
    offset = mean_out - gain * mean_in
    if strokes:
        line = _enlarge(gain, CELL) * small + _enlarge(offset, CELL)
        large_offset = _enlarge(_enlarge(offset, CELL) + strokes * (target - line), shrink)
    else:
        large_offset = _enlarge(offset, CELL * shrink)
    guided: Floats = np.clip(_enlarge(gain, CELL * shrink) * picture + large_offset, 0, 255).astype(np.float32)
    return guided


def _cells(values: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width, channels = values.shape
    cells: NDArray[np.float64] = values.reshape(height // CELL, CELL, width // CELL, CELL, channels).mean((1, 3))
    return cells


def _means(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import uniform_filter

    sides = (_WINDOW, _WINDOW, 1)
    sums, counted = (uniform_filter(v, sides, mode="constant") for v in (cells, np.ones_like(cells)))
    means: NDArray[np.float64] = sums / counted
    return means


def _enlarge(values: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Bilinear, with pixels centred on halves; the edge is repeated."""
    for axis in (0, 1):
        count = values.shape[axis]
        place = (np.arange(count * factor) + 0.5) / factor - 0.5
        below = np.floor(place).astype(int)
        shape = [1, 1, 1]
        shape[axis] = len(place)
        share = (place - below).reshape(shape)
        lower, upper = (values.take(np.clip(below + step, 0, count - 1), axis) for step in (0, 1))
        values = lower * (1 - share) + upper * share
    return values
