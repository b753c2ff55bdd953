"""Padding by a constant, by reflection, by the edge, or around to the other side."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var, unsigned
from pocketlens.converters.coreai.registry import lowering
from pocketlens.converters.lowering import floats, needs_constants

_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def _check(node: ir.Node) -> str:
    if reason := needs_constants(node, "its pads are", 1, 3) or needs_constants(node, "its value is", 2):
        return reason
    pads = hub.pads(node) or []
    if any(before < 0 or after < 0 for before, after in pads):
        return f"it pads by a negative number: {pads}"
    mode = hub.text(node, "mode", "constant")
    for length, pad in zip(hub.static_shape(node.inputs[0]), map(max, pads), strict=True):  # type: ignore[arg-type]
        if (mode == "reflect" and pad >= length) or (mode == "wrap" and pad > length):
            return f"it pads {length} values by {pad} in mode {mode!r}"
    return ""


@lowering(
    "Pad", check=_check, needs="constant pads and value, none negative; no more mirrored or wrapped than there is"
)
def pad(builder: CoreAIBuilder, node: ir.Node) -> Var:
    """``pad`` in the mode of another name."""
    amounts = unsigned(amount for pair in hub.pads(node) or [] for amount in pair)
    value = floats(node, 2)
    fill = np.array(0 if value is None else value.item(), builder.dtype)
    return builder.ops.pad(builder.get(node.inputs[0]), amounts, fill, _MODES[hub.text(node, "mode", "constant")])
