"""Lowers a graph: node by node, to TFLite operators."""

import onnx_ir as ir

from pocketlens.converters.lowering import is_constant
from pocketlens.converters.rewrites.decompose_group_norm import EXACT_NORMS
from pocketlens.converters.tflite.builder import LONG, TFLiteBuilder
from pocketlens.converters.tflite.lowerings import TABLE


def lower_graph(model: ir.Model) -> TFLiteBuilder:
    """The operators of a graph.

    Args:
        model: A graph without refusals.
    """
    builder = TFLiteBuilder(int(model.metadata_props.get(EXACT_NORMS, LONG)))
    for value in model.graph.inputs:
        builder.add_input(value)
    for node in model.graph:
        if is_constant(node):
            continue
        builder.begin(node)
        # Outputs behind the first are only known of Split; of other operators nothing reads them.
        for value, tensor in zip(node.outputs, TABLE.lower(builder, node), strict=False):
            builder.bind(value, tensor)
    return builder
