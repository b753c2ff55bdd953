"""The table of lowerings: which ONNX operators become TFLite operators, how, and which nodes are refused.

A lowering checks a node from the graph alone before it builds anything, so that what TFLite refuses is known where
flatbuffers and ai-edge-litert are not installed.
"""

import onnx_ir as ir

from pocketlens.converters.lowering import PLACE_OPERATORS, LoweringTable
from pocketlens.converters.tflite.builder import Tensor, TFLiteBuilder


def _check(node: ir.Node) -> str:
    if any(value.uses() for value in node.outputs[1:]) and node.op_type not in ("Split", "TopK"):
        return "only its first output is known"
    return ""


TABLE: LoweringTable[TFLiteBuilder, Tensor] = LoweringTable("tflite", _check, PLACE_OPERATORS)
"""Filled by the modules of :mod:`pocketlens.converters.tflite.lowerings`."""

lowering = TABLE.register
"""Registers a function as the lowering of some operators."""
