"""A convolution of a picture enlarged by repeating its pixels is computed at the small size."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters import nearest
from pocketlens.converters.rewrites import edit, packing
from pocketlens.converters.rewrites.conv_window import ConvWindow, conv_window
from pocketlens.converters.rewrites.passes import NodePass

_MODES = ("edge", "reflect")
MIN_GAIN = 1.3
"""Least ratio of the products before to those after for which the pixel shuffle is paid back."""


class EnlargeLast(NodePass):
    """Compute Resize (nearest, s times both ways), Pad, Conv as Pad, Conv to s² times the channels, DepthToSpace.

    Exact: pixel ``U`` of the enlarged picture is pixel ``floor(U / s)`` of the small one, so of the k taps of an output
    those that fall on the same small pixel are one tap, whose weight is their sum (the only rounding that changes).
    Which taps these are depends on ``Y`` modulo s: a convolution with an output channel for each place in a block of s
    x s, which DepthToSpace lays out (:mod:`~pocketlens.converters.rewrites.packing`). For s = 2 and a 3 x 3 kernel,
    blocks that start one pixel early read 2 x 2 small pixels, 16 products instead of 36; the pixel that stands over at
    each end is cut off.

    Padding moves to the small picture. Zeros outside the enlarged picture are zeros outside the small one. Mirrored or
    repeated edges are traced pixel by pixel: the pass applies where padding the small picture by repeating or mirroring
    its edge puts the same pixels there (mirroring one enlarged pixel repeats the small edge, for instance), and where
    that saves at least :data:`MIN_GAIN` times the products. It needs one group, constant weights, stride 1 and single
    readers.
    """

    operators = ("Conv",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        window = conv_window(node, "Conv")
        chain = None if window is None or window.strides != (1, 1) else _chain(window)
        return window is not None and chain is not None and _rewrite(model, node, window, chain)


@dataclass(frozen=True)
class _Chain:
    """What stands in front of the convolution: ``small``, enlarged by ``factor``, padded by ``pads`` in ``mode``."""

    small: ir.Value
    factor: int
    mode: str
    pads: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class _Form:
    axis: packing.Axis
    shift: int
    mode: str
    """How the small picture is padded, ``""`` for the convolution's own zeros."""
    pads: tuple[int, int]


def _chain(window: ConvWindow) -> _Chain | None:
    pad, mode, pads = edit.producer(window.x, "Pad"), "constant", ((0, 0), (0, 0))
    source = window.x
    if pad is not None:
        amounts = edit.constant_integers(pad, 1)
        value = pad.inputs[2] if len(pad.inputs) > 2 else None
        mode = hub.text(pad, "mode", "constant")
        if amounts is None or len(amounts) != 8 or any(amounts[i] for i in (0, 1, 4, 5)) or pad.inputs[0] is None:
            return None
        if (
            min(amounts) < 0
            or mode not in ("constant", *_MODES)
            or (value is not None and edit.constant_scalar(value) != 0)
        ):
            return None
        if len(pad.inputs) > 3 and pad.inputs[3] is not None:
            return None
        pads, source = ((amounts[2], amounts[6]), (amounts[3], amounts[7])), pad.inputs[0]
        if edit.only_consumer(window.x) is None or (mode != "constant" and any(window.pads)):
            return None
    resize = edit.producer(source, "Resize")
    if resize is None or edit.only_consumer(source) is None or hub.text(resize, "mode", "nearest") != "nearest":
        return None
    before, after = edit.shape_of(resize.inputs[0]), edit.shape_of(source)
    if before is None or after is None or len(before) != 4 or before[:2] != after[:2] or resize.inputs[0] is None:
        return None
    factor = after[2] // before[2]
    for axis in (2, 3):
        rows = nearest.source_indices(resize, axis, before, after)
        expected = np.arange(after[axis]) // factor
        if factor < 2 or after[axis] != factor * before[axis] or rows is None or not np.array_equal(rows, expected):
            return None
    return _Chain(resize.inputs[0], factor, mode, pads)


def _forms(window: ConvWindow, chain: _Chain, i: int) -> list[_Form]:
    """Every way to read along axis i, one a start of the blocks."""
    factor, mode = chain.factor, chain.mode
    small_shape = edit.shape_of(chain.small)
    assert small_shape is not None
    length, out = small_shape[i + 2], window.out[i + 2]
    before, after = (window.pads[i] + chain.pads[i][0], window.pads[i + 2] + chain.pads[i][1])
    forms = []
    for shift in range(factor):

        def reads(pixel: int, tap: int) -> int:
            return (pixel + tap * window.dilations[i] - before) // factor

        if mode == "constant":
            axis = packing.axis(reads, window.taps[i], (length, out), (1, factor), shift)
            forms += [] if axis is None else [_Form(axis, shift, "", (0, 0))]
            continue
        # The same with the pads as part of the small picture.
        ends = [reads(r - shift, t) for r in range(factor) for t in range(window.taps[i])]
        first, last = min(ends), max(ends) + -(-(out + shift) // factor) - 1
        extra = (max(-first, 0), max(last - length + 1, 0))
        small = _padding(chain, i, length, (before, after), extra)
        axis = packing.axis(
            lambda pixel, tap, extra=extra: reads(pixel, tap) + extra[0],  # type: ignore[misc]
            window.taps[i],
            (length + sum(extra), out),
            (1, factor),
            shift,
        )
        if small is not None and axis is not None:
            forms.append(_Form(axis, shift, small, extra))
    return forms


def _padding(chain: _Chain, i: int, length: int, pads: tuple[int, int], extra: tuple[int, int]) -> str | None:
    """The mode that pads the small picture so that every enlarged pixel that is read is the right one."""
    enlarged: NDArray[np.int64] = np.arange(length * chain.factor) // chain.factor
    if chain.mode == "reflect" and max(pads) >= len(enlarged):
        return None
    padded = np.pad(enlarged, pads, mode=chain.mode)  # type: ignore[call-overload]
    at = (np.arange(len(padded)) - pads[0]) // chain.factor + extra[0]
    for mode in _MODES:
        if mode == "reflect" and max(extra) >= length:
            continue
        small_padded: NDArray[np.int64] = np.pad(np.arange(length), extra, mode=mode)  # type: ignore[call-overload]
        inside = (at >= 0) & (at < len(small_padded))
        if np.array_equal(small_padded[at[inside]], padded[inside]):
            return mode
    return None


def _rewrite(model: ir.Model, node: ir.Node, window: ConvWindow, chain: _Chain) -> bool:
    pairs = [
        (rows, columns)
        for rows in _forms(window, chain, 0)
        for columns in _forms(window, chain, 1)
        if rows.shift == columns.shift and rows.mode == columns.mode
    ]
    if not pairs:
        return False
    rows, columns = min(pairs, key=lambda pair: (pair[0].axis.kernel * pair[1].axis.kernel, pair[0].shift))
    if window.taps[0] * window.taps[1] < MIN_GAIN * rows.axis.kernel * columns.axis.kernel:
        return False
    editor = edit.Editor(model, node)
    small = chain.small
    if any((*rows.pads, *columns.pads)):
        amounts = [0, 0, rows.pads[0], columns.pads[0], 0, 0, rows.pads[1], columns.pads[1]]
        before = edit.shape_of(small)
        assert before is not None
        shape = (*before[:2], before[2] + sum(rows.pads), before[3] + sum(columns.pads))
        pads = editor.constant(np.array(amounts, np.int64), "pads")
        small = editor.add("Pad", [small, pads], shape, [ir.AttrString("mode", rows.mode)])
    packed = packing.packed_conv(editor, small, window, (rows.axis, columns.axis), chain.factor)
    edit.replace(node.outputs[0], packing.unpack(editor, packed, chain.factor, window.out, rows.shift))
    return True
