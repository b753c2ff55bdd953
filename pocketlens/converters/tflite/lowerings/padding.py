"""Padding: zeros by PAD, mirrored and repeated edges by slices.

TFLite has MIRROR_PAD, but XNNPACK does not take it: it cuts the graph in two and costs more than the convolution behind
it. Slices of one row and small concatenations stay inside (434 to 289 ms for a whole AnimeGANv2).
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.lowering import floats, needs_constants, shape
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder
from pocketlens.converters.tflite.registry import lowering

_CONVOLUTIONS = ("Conv", "ConvTranspose")


def _check(node: ir.Node) -> str:
    pads, mode = hub.pads(node), hub.text(node, "mode", "constant")
    if pads is None:
        return "its pads are computed, not constant"
    if mode == "constant":
        return needs_constants(node, "its value is", 2)
    if mode not in _EXTEND:
        return f"mode {mode!r}, expected constant, reflect, edge or wrap"
    for length, (before, after) in zip(shape(node.inputs[0]), pads, strict=True):
        remaining = length + min(before, 0) + min(after, 0)
        if mode == "reflect" and max(before, after, 0) >= remaining:
            return f"it mirrors {max(before, after, 0)} of {remaining} values"
        if mode == "wrap" and max(before, after, 0) > remaining:
            return f"it wraps {max(before, after, 0)} of {remaining} values"
    return ""


@lowering("Pad", check=_check, needs="constant pads and value; no more mirrored or wrapped than there is")
def pad(builder: TFLiteBuilder, node: ir.Node) -> Tensor:
    """Any mode; negative pads cut."""
    x = builder.get(node.inputs[0])
    pads = _pads(node, len(x.shape))
    for axis, (before, after) in enumerate(pads):
        cut = max(-before, 0), max(-after, 0)
        x = builder.slice_axis(x, axis, cut[0], x.shape[axis] - sum(cut))
    pads = [(max(before, 0), max(after, 0)) for before, after in pads]
    mode = hub.text(node, "mode", "constant")
    if mode == "constant":
        return _constant(builder, node, x, pads)
    for axis, (before, after) in enumerate(pads):
        x = _EXTEND[mode](builder, x, axis, before, after)
    return x


def _pads(node: ir.Node, rank: int) -> list[tuple[int, int]]:
    """Pads before and after each stored axis."""
    pads = hub.pads(node)
    assert pads is not None
    return [pads[layout.graph_axis(axis, rank)] for axis in range(rank)]


def _constant(builder: TFLiteBuilder, node: ir.Node, x: Tensor, pads: list[tuple[int, int]]) -> Tensor:
    value = floats(node, 2)
    if not any(before or after for before, after in pads) or value is None or not value.any():
        return builder.pad_zeros(x, pads)
    grown = [n + before + after for n, (before, after) in zip(x.shape, pads, strict=True)]
    padded = builder.add("PADV2", [x, builder.integers(pads), builder.constant(value.reshape(1))], grown)
    if all(reader.op_type not in _CONVOLUTIONS for reader, _ in node.outputs[0].uses()):
        return padded
    # LiteRT's GPU engine would merge the pad into the convolution, and forget its value (docs/upstream.md).
    return builder.elementwise("MAXIMUM", padded, float(np.finfo(np.float32).min))


def mirror(builder: TFLiteBuilder, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Mirror the values next to both ends of a stored axis; the end itself is not repeated."""
    last = x.shape[axis] - 1
    starts = [builder.slice_axis(x, axis, i, 1) for i in range(before, 0, -1)]
    ends = [builder.slice_axis(x, axis, last - i, 1) for i in range(1, after + 1)]
    return _around(builder, starts, x, ends, axis)


def repeat_edges(builder: TFLiteBuilder, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Repeat the first and last value of a stored axis."""
    starts = [builder.slice_axis(x, axis, 0, 1)] * before if before else []
    ends = [builder.slice_axis(x, axis, x.shape[axis] - 1, 1)] * after if after else []
    return _around(builder, starts, x, ends, axis)


def wrap(builder: TFLiteBuilder, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Continue a stored axis at its other end."""
    length = x.shape[axis]
    starts = [builder.slice_axis(x, axis, length - before, before)] if before else []
    ends = [builder.slice_axis(x, axis, 0, after)] if after else []
    return _around(builder, starts, x, ends, axis)


def _around(builder: TFLiteBuilder, starts: list[Tensor], x: Tensor, ends: list[Tensor], axis: int) -> Tensor:
    """The thin parts are joined among themselves first, so that the large one is copied once."""
    parts = [
        *([builder.concatenate(starts, axis)] if starts else []),
        x,
        *([builder.concatenate(ends, axis)] if ends else []),
    ]
    return builder.concatenate(parts, axis)


_EXTEND: dict[str, Callable[[TFLiteBuilder, Tensor, int, int, int], Tensor]] = {
    "reflect": mirror,
    "edge": repeat_edges,
    "wrap": wrap,
}
