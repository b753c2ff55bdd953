"""Padding by a constant, by reflection, or by the edge."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.builder import MILBuilder, Var, vector
from pocketlens.converters.coreml.registry import lowering
from pocketlens.converters.lowering import floats, needs_constants

_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


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
    if mode != "constant" and any(pair != (0, 0) for pair in pads[:-2]):
        return f"it pads by {mode} outside height and width"
    return ""


@lowering(
    "Pad",
    check=_check_pad,
    needs="constant pads and value, none negative; constant, or reflect and edge of height and width",
)
def pad(builder: MILBuilder, node: ir.Node) -> Var:
    """``pad`` by a constant, by reflection, or by the edge; the latter two take height and width alone."""
    mode = _MODES[hub.text(node, "mode", "constant")]
    pads = _pads(node)
    padded_axes = pads if mode == "constant" else pads[-2:]
    value = floats(node, 2)
    return builder.add(
        "pad",
        x=builder.get(node.inputs[0]),
        pad=vector(amount for pair in padded_axes for amount in pair),
        mode=mode,
        constant_val=np.float32(0 if value is None else value.item()),
    )
