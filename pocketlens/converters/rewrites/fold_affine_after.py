"""A scale and shift a channel behind a convolution or instance norm goes into its weights."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.channel_affine import ChannelAffine, Vector, channel_affine
from pocketlens.converters.rewrites.passes import NodePass


class FoldAffineAfter(NodePass):
    """Fold Mul, Div, Add, Sub, Neg and BatchNormalization into the Conv, ConvTranspose or InstanceNormalization before.

    Exact: each output channel o of those is ``sum(weight[o] * x) + bias[o]``, or ``normal(x)[o] * scale[o] + bias[o]``.
    Times s and plus t that is the same with ``weight[o] * s[o]`` and ``bias[o] * s[o] + t[o]``. A transposed
    convolution keeps its output channels in the second axis of its weights, a group at a time. The pass needs constant
    weights, a single reader, and constants that are one number a channel; the new weights are computed in float64.
    """

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies."""
        step = channel_affine(node)
        return step is not None and _fold(model, node, step)


def _fold(model: ir.Model, node: ir.Node, step: ChannelAffine) -> bool:
    source = edit.producer(step.x, "Conv", "ConvTranspose", "InstanceNormalization")
    if source is None or edit.only_consumer(step.x) is not node:
        return False
    weight = constant(source.inputs[1])
    bias_input = source.inputs[2] if len(source.inputs) > 2 else None
    bias = constant(bias_input)
    if weight is None or (bias_input is not None and bias is None):
        return False
    bias_before = np.zeros(len(step.scale)) if bias is None else bias.astype(np.float64)
    editor = edit.Editor(model, source)
    moved = (bias_before * step.scale + step.shift).astype(np.float32)
    assert source.inputs[1] is not None
    inputs = [
        source.inputs[0],
        editor.update_weight(source.inputs[1], _scaled(source, weight, step.scale)),
        editor.constant(moved, "bias") if bias_input is None else editor.update_weight(bias_input, moved),
    ]
    folded = editor.add(source.op_type, inputs, edit.shape_of(step.x), source.attributes.values())
    edit.replace(node.outputs[0], folded)
    return True


def _scaled(source: ir.Node, weight: np.ndarray, scale: Vector) -> np.ndarray:
    weight64 = weight.astype(np.float64)
    if source.op_type == "InstanceNormalization":
        result = weight64 * scale
    elif source.op_type == "Conv":
        result = weight64 * scale.reshape(-1, 1, 1, 1)
    else:
        groups = hub.integer(source, "group", 1)
        inputs, outputs, *kernel = weight64.shape
        result = weight64.reshape(groups, inputs // groups, outputs, *kernel) * scale.reshape(groups, 1, outputs, 1, 1)
    return result.reshape(weight.shape).astype(np.float32)
