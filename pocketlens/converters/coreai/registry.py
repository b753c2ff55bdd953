"""The table of lowerings: which ONNX operators become Core AI operations, how, and which nodes are refused.

A lowering checks a node from the graph alone before it builds anything, so that what Core AI refuses is known where
coreai-core is not installed.
"""

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var
from pocketlens.converters.lowering import LoweringTable, computed_values


def _check(node: ir.Node) -> str:
    if node.inputs and node.inputs[0] is None:
        return "its first input is left out"
    for value in computed_values(node):
        if not hub.static_shape(value):
            return f"{value.name!r} has no axes, and Core AI takes 1 or more"
    return ""


TABLE: LoweringTable[CoreAIBuilder, Var] = LoweringTable("coreai", _check)
"""Filled by the modules of :mod:`pocketlens.converters.coreai.lowerings`."""

lowering = TABLE.register
"""Registers a function as the lowering of some operators."""
