"""The weights of a graph that another tool has quantized, as integers again: preparation made floats of them."""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import insert
from pocketlens.converters.rewrites import edit
from pocketlens.targets import QuantizerPlacement


def quantize_weights_of_rounded(model: ir.Model, placement: QuantizerPlacement) -> int:
    """Store the weights of every convolution and product that reads rounded values as int8, in place.

    The scale of a channel is its largest weight over 127, which is the scale that tools of TFLite and of onnxruntime
    choose: their integers come back, unless the runtime's kernels want smaller ones. Scales of values stay as they are.

    Args:
        model: The graph, with quantizers of its own.
        placement: What the kernels of the target's runtime want of weights and biases.

    Returns:
        How many nodes have integers as weights now.
    """
    writer, count = insert.QuantizerWriter(model), 0
    for node in tuple(model.graph):
        source = edit.producer(node.inputs[0], "DequantizeLinear") if node.op_type in hub.WEIGHTED_OPERATORS else None
        weight = hub.initializer(node.inputs[1]) if source is not None else None
        scale = constant(source.inputs[1]) if source is not None else None
        if weight is None or weight.dtype != np.float32 or weight.ndim < 2 or scale is None or scale.size != 1:
            continue
        steps = insert.quantize_weight(writer, node, placement.pair_sums)
        if placement.biases and len(node.inputs) > 2 and node.inputs[2] is not None:
            insert.quantize_bias(writer, node, steps * np.float32(scale.reshape(())))
        count += 1
    model.graph.sort()
    common.RemoveUnusedNodesPass()(model)  # the weights as floats, which nobody reads any more
    return count
