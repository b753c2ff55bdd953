"""Padding by a constant, by reflection, or by the edge."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import floats, needs_constants

_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


_MIRRORED = 2
"""Axes that ``pad`` mirrors or repeats: the last ones."""


def _pads(node: ir.Node) -> list[tuple[int, int]]:
    pads = hub.pads(node)
    assert pads is not None
    return pads


def _check_pad(node: ir.Node) -> str:
    if reason := needs_constants(node, "its pads are", 1, 3) or needs_constants(node, "its value is", 2):
        return reason
    mode = hub.text(node, "mode", "constant")
    if mode not in _MODES:
        return f"its mode is {mode!r}, and has to be one of {', '.join(_MODES)}"
    pads = _pads(node)
    if any(before < 0 or after < 0 for before, after in pads):
        return f"it pads by a negative number: {pads}"
    if mode != "constant" and sum(pair != (0, 0) for pair in pads) > _MIRRORED:
        return f"it pads by {mode} along more than {_MIRRORED} axes"
    return ""


@lowering(
    "Pad",
    check=_check_pad,
    needs="constant pads and value, none negative; constant, or reflect and edge along two axes",
)
def pad(builder: MILBuilder, node: ir.Node) -> Var:
    """``pad`` by a constant, by reflection, or by the edge; the latter two take the last two axes alone, between
    transposes where they are others.
    """
    mode, pads = _MODES[hub.text(node, "mode", "constant")], _pads(node)
    x, value = builder.get(node.inputs[0]), floats(node, 2)
    # Stable: axes without pads come first, and all keep their order where the last two are meant.
    order = sorted(range(len(pads)), key=lambda axis: pads[axis] != (0, 0))
    moves = mode != "constant" and any(pair != (0, 0) for pair in pads[:-_MIRRORED])
    if moves:
        x = builder.add("transpose", x=x, perm=vector(order))
        pads = [pads[axis] for axis in order]
    padded = builder.add(
        "pad",
        x=x,
        pad=vector(amount for pair in (pads if mode == "constant" else pads[-_MIRRORED:]) for amount in pair),
        mode=mode,
        constant_val=np.float32(0 if value is None else value.item()),
    )
    back = vector(order.index(axis) for axis in range(len(order)))
    return builder.add("transpose", x=padded, perm=back) if moves else padded
