"""A scale and shift a channel in front of a convolution goes into its weights."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.channel_affine import ChannelAffine, channel_affine
from pocketlens.converters.rewrites.passes import NodePass


class FoldAffineBefore(NodePass):
    """Fold Mul, Div, Add, Sub, Neg and BatchNormalization into the Conv or ConvTranspose behind, past a Pad between.

    Exact: ``sum(w[c] * (x[c] * s[c] + t[c])) = sum(w[c] * s[c] * x[c]) + sum(w[c] * t[c])``. The scale may always go:
    the zeros that a convolution pads with stay zeros. The shift may only go where every tap of the kernel sees it, so
    where the convolution pads nothing (and is not transposed: at its border some taps fall on no pixel). Padding by
    reflection or by the edge copies pixels, so scaling and shifting before it is the same as after; padding with zeros
    lets only a scale through. Where only the shift cannot go, ``x * s + t`` is taken as ``(x + t / s) * s``, and the
    scale goes. The pass needs constant weights, single readers, and constants that are one number a channel.
    """

    backwards = True

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the place if it applies; the nodes next to a convolution come first."""
        step = channel_affine(node)
        return step is not None and _fold(model, node, step)


def _fold(model: ir.Model, node: ir.Node, step: ChannelAffine) -> bool:
    pad = conv = edit.only_consumer(node.outputs[0])
    if pad is not None and pad.op_type == "Pad":
        conv = edit.only_consumer(pad.outputs[0]) if _commutes(pad, step) else None
    if conv is None or conv.op_type not in ("Conv", "ConvTranspose") or conv.domain:
        return False
    last = pad if conv is not pad else node
    assert last is not None
    weight = constant(conv.inputs[1])
    bias_input = conv.inputs[2] if len(conv.inputs) > 2 else None
    bias = constant(bias_input)
    if conv.inputs[0] is not last.outputs[0] or weight is None or (bias_input is not None and bias is None):
        return False
    if step.shift.any() and (conv.op_type == "ConvTranspose" or not _pads_nothing(conv)):
        turned = _scale_last(model, node, step)
        if turned is None:
            return False
        step = turned
    weight64 = weight.astype(np.float64)
    inputs = [conv.inputs[0], conv.inputs[1], bias_input]
    editor = edit.Editor(model, conv)
    # The input channels that each filter sees: all of its group.
    groups = hub.integer(conv, "group", 1) if conv.op_type == "Conv" else 1
    filters = weight64.shape[0] // groups if conv.op_type == "Conv" else 1

    def seen(vector: np.ndarray) -> np.ndarray:
        if conv.op_type == "ConvTranspose":
            return vector.reshape(-1, 1, 1, 1)
        return np.repeat(vector.reshape(groups, -1), filters, axis=0)[:, :, None, None]

    if step.shift.any():
        added = (weight64 * seen(step.shift)).sum(axis=(1, 2, 3))
        moved = (added + (0 if bias is None else bias)).astype(np.float32)
        inputs[2] = editor.constant(moved, "bias") if bias_input is None else editor.update_weight(bias_input, moved)
    assert conv.inputs[1] is not None
    inputs[1] = editor.update_weight(conv.inputs[1], (weight64 * seen(step.scale)).astype(np.float32))
    if last is pad:
        assert pad is not None
        pad.replace_input_with(0, step.x)
    else:
        inputs[0] = step.x
    while inputs[-1] is None:
        inputs.pop()
    folded = editor.add(conv.op_type, inputs, edit.shape_of(conv.outputs[0]), conv.attributes.values())
    edit.replace(conv.outputs[0], folded)
    edit.prune(node)
    return True


def _scale_last(model: ir.Model, node: ir.Node, step: ChannelAffine) -> ChannelAffine | None:
    """``x * s + t`` in two nodes, as ``(x + t / s)`` that is made here, and ``* s`` that is left to do."""
    inner = step.x.producer()
    first = channel_affine(inner) if inner is not None and edit.only_consumer(step.x) is node else None
    if first is None or first.shift.any():
        return None
    scale = first.scale * step.scale
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        shift = (step.shift / scale).astype(np.float32)
    if not np.isfinite(shift).all():
        return None
    editor = edit.Editor(model, node)
    single = shift[:1].reshape(()) if (shift == shift[0]).all() else shift.reshape(-1, 1, 1)
    moved = editor.add("Add", [first.x, editor.constant(single, "shift")], edit.shape_of(step.x))
    return ChannelAffine(moved, scale, np.zeros_like(scale))


def _commutes(pad: ir.Node, step: ChannelAffine) -> bool:
    """Whether padding and then scaling and shifting is the same."""
    mode = hub.text(pad, "mode", "constant")
    if mode in ("reflect", "edge", "wrap"):
        return _spatial(pad)
    value = pad.inputs[2] if len(pad.inputs) > 2 else None
    return (
        mode == "constant"
        and not step.shift.any()
        and (value is None or edit.constant_scalar(value) == 0)
        and _spatial(pad)
    )


def _spatial(pad: ir.Node) -> bool:
    before, after = edit.shape_of(pad.inputs[0]), edit.shape_of(pad.outputs[0])
    return before is not None and after is not None and before[:2] == after[:2]


def _pads_nothing(conv: ir.Node) -> bool:
    explicit = hub.text(conv, "auto_pad", "NOTSET")
    return explicit == "VALID" or (explicit == "NOTSET" and not any(hub.ints(conv, "pads", ())))
