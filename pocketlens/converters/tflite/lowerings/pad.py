"""Padding: zeros by PAD, mirrored and repeated edges by slices.

TFLite has MIRROR_PAD, but XNNPACK does not take it: it cuts the graph in two and costs more than the convolution behind it.
Slices of one row and small concatenations stay inside (434 to 289 ms for a whole AnimeGANv2).
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.tflite import layout
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor
from pocketlens.converters.tflite.registry import lowers


@lowers("Pad", needs="constant pads and value; no more mirrored or wrapped than there is")
def pad(draft: Draft, node: ir.Node) -> Tensor:
    """Any mode; negative pads cut."""
    x = draft.of(node.inputs[0])
    pads = _pads(node, len(x.shape))
    for axis, (before, after) in enumerate(pads):
        cut = max(-before, 0), max(-after, 0)
        x = draft.cut(x, axis, cut[0], x.shape[axis] - sum(cut))
    pads = [(max(before, 0), max(after, 0)) for before, after in pads]
    mode = hub.text(node, "mode", "constant")
    if mode == "constant":
        return _constant(draft, node, x, pads)
    if mode not in _EXTEND:
        raise Refused(f"mode {mode!r}, expected constant, reflect, edge or wrap")
    for axis, (before, after) in enumerate(pads):
        if mode == "reflect" and max(before, after) >= x.shape[axis]:
            raise Refused(f"it mirrors {max(before, after)} of {x.shape[axis]} values")
        x = _EXTEND[mode](draft, x, axis, before, after)
    return x


def _pads(node: ir.Node, rank: int) -> list[tuple[int, int]]:
    """Pads before and after each stored axis."""
    pads = hub.pads(node)
    if pads is None:
        raise Refused("its pads are computed, not constant")
    return [pads[layout.graph_axis(axis, rank)] for axis in range(rank)]


def _constant(draft: Draft, node: ir.Node, x: Tensor, pads: list[tuple[int, int]]) -> Tensor:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    array = np.zeros(1, np.float32) if value is None else constant(value)
    if array is None:
        raise Refused("its value is computed, not constant")
    if not any(before or after for before, after in pads) or not array.any():
        return draft.zeros_around(x, pads)
    grown = [n + before + after for n, (before, after) in zip(x.shape, pads, strict=True)]
    return draft.add("PADV2", [x, draft.integers(pads), draft.constant(array.reshape(1).astype(np.float32))], grown)


def mirror(draft: Draft, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Mirror the values next to both ends of a stored axis; the end itself is not repeated."""
    last = x.shape[axis] - 1
    starts = [draft.cut(x, axis, i, 1) for i in range(before, 0, -1)]
    ends = [draft.cut(x, axis, last - i, 1) for i in range(1, after + 1)]
    return _around(draft, starts, x, ends, axis)


def repeat_edges(draft: Draft, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Repeat the first and last value of a stored axis."""
    starts = [draft.cut(x, axis, 0, 1)] * before if before else []
    ends = [draft.cut(x, axis, x.shape[axis] - 1, 1)] * after if after else []
    return _around(draft, starts, x, ends, axis)


def wrap(draft: Draft, x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Continue a stored axis at its other end."""
    length = x.shape[axis]
    if max(before, after) > length:
        raise Refused(f"it wraps {max(before, after)} of {length} values")
    starts = [draft.cut(x, axis, length - before, before)] if before else []
    ends = [draft.cut(x, axis, 0, after)] if after else []
    return _around(draft, starts, x, ends, axis)


def _around(draft: Draft, starts: list[Tensor], x: Tensor, ends: list[Tensor], axis: int) -> Tensor:
    """The thin parts are joined among themselves first, so that the large one is copied once."""
    parts = [*([draft.join(starts, axis)] if starts else []), x, *([draft.join(ends, axis)] if ends else [])]
    return draft.join(parts, axis)


_EXTEND: dict[str, Callable[[Draft, Tensor, int, int, int], Tensor]] = {
    "reflect": mirror,
    "edge": repeat_edges,
    "wrap": wrap,
}
