"""What another tool's file rounds of its values, in files of floats: by operators of floats.

OpenVINO makes integers of a network where it finds quantizers, also of one whose weights are floats. In Magenta's style
transfer in int8 it fails at that while it compiles, with "index '0' out of range" (2026.4, AddTransformation on a sum
of two scaled values; docs/upstream.md). A Snapdragon's NPU leaves the rounding out (onnxruntime-qnn 2.7.0, the same
page).
"""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.rewrites import edit


def round_in_floats(model: ir.Model) -> ir.Model:
    """A copy of a graph in which each pair of QuantizeLinear and DequantizeLinear with one scale is Div, Round, Clip
    and Mul; the graph itself where there is none.

    Exact: ``(clip(round(x / s) + z, low, high) - z) * s = clip(round(x / s), low - z, high - z) * s``, whole numbers
    that float32 has.
    """
    if not any(_limits(node) for node in model.graph):
        return model
    model = model.clone()
    for node in tuple(model.graph):
        limits = _limits(node)
        if limits is None:
            continue
        quantizer = edit.producer(node.inputs[0], "QuantizeLinear")
        assert quantizer is not None
        x, scale, editor = quantizer.inputs[0], node.inputs[1], edit.Editor(model, node)
        shape = edit.shape_of(node.outputs[0])
        assert shape is not None
        steps = editor.add("Round", [editor.add("Div", [x, scale], shape)], shape)
        ends = [editor.constant(np.array(end, np.float32), name) for end, name in zip(limits, _ENDS, strict=True)]
        edit.replace(node.outputs[0], editor.add("Mul", [editor.add("Clip", [steps, *ends], shape), scale], shape))
    return model


_ENDS = ("lowest", "highest")


def _limits(node: ir.Node) -> tuple[int, int] | None:
    """The lowest and highest step of a pair that ends in this node; None if it ends none."""
    quantizer = edit.producer(node.inputs[0], "QuantizeLinear") if node.op_type == "DequantizeLinear" else None
    step = None if quantizer is None else edit.one_step(quantizer, node)
    if step is None:
        return None
    scale, zero = step
    if scale.dtype != np.float32 or scale.ndim:
        return None
    kind = np.iinfo(zero.dtype.name)
    return kind.min - int(zero.item()), kind.max - int(zero.item())
