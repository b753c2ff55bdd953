"""The table of lowerings: which ONNX operators become MIL operations, how, and which nodes are refused.

A lowering checks a node from the graph alone before it builds anything, so that what Core ML refuses is known where
coremltools is not installed.
"""

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.builder import MILBuilder, Var
from pocketlens.converters.lowering import PLACE_OPERATORS, LoweringTable, computed_values

MAX_RANK = 5
"""The most axes that a Core ML tensor has."""

_MOVES = ("Reshape", "Transpose")
"""Operators that leave out the first of six axes if its length is 1: pictures come one at a time."""


def _check(node: ir.Node) -> str:
    if node.inputs and node.inputs[0] is None:
        return "its first input is left out"
    for value in computed_values(node):
        shape = hub.static_shape(value)
        leaves_one_out = len(shape) == MAX_RANK + 1 and shape[0] == 1 and node.op_type in _MOVES
        if not shape or (len(shape) > MAX_RANK and not leaves_one_out):
            return f"{value.name!r} has {len(shape)} axes, and Core ML takes 1 to {MAX_RANK}"
    return ""


TABLE: LoweringTable[MILBuilder, Var] = LoweringTable("coreml", _check, PLACE_OPERATORS)
"""Filled by the modules of :mod:`pocketlens.converters.coreml.lowerings`."""

lowering = TABLE.register
"""Registers a function as the lowering of some operators."""
