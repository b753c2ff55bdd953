"""Forms of a graph that OpenVINO (2026.4) computes otherwise than ONNX means them: said in another way, or refused.

Each was found by ``make conformance``, and has its case in ``tests/conformance/regressions.py``.
"""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.onnx import precise
from pocketlens.converters.quantization.plan import has_quantizers
from pocketlens.converters.rewrites import edit


def say_otherwise(model: ir.Model) -> ir.Model:
    """A copy of the graph without these forms; the same pixels."""
    model = precise(model)
    for node in tuple(model.graph):
        if node.op_type == "ConvTranspose":
            _spell_out_pads(node)
        elif node.op_type == "Gather":
            _hide_order(model, node)
        elif node.op_type == "GatherElements":
            _count_from_the_start(model, node)
        elif node.op_type == "PRelu":
            _slope_of_columns(model, node)
    if has_quantizers(model):
        if any(node.op_type == "DepthToSpace" for node in model.graph):
            _tell_channels_apart(model)
        for node in tuple(model.graph):
            if node.op_type == "Pad" and not node.domain:
                _put_beside(model, node)
    return model


def computed_otherwise(node: ir.Node) -> str:
    """Why a node that OpenVINO takes without a word is refused: it would compute something else. Empty if it would not."""
    if node.domain:
        return ""
    if node.op_type == "GatherElements" and edit.maker(node.inputs[0], "Slice"):
        return "OpenVINO drops the Slice in front of it"
    if node.op_type != "Resize":
        return ""
    if hub.text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return "OpenVINO does not keep the aspect ratio"
    if hub.text(node, "mode", "nearest") == "cubic" and hub.integer(node, "exclude_outside", 0):
        return "OpenVINO does not leave out what is outside"
    before, after = hub.static_shape(node.inputs[0]) if node.inputs[0] else (), hub.static_shape(node.outputs[0])
    if hub.text(node, "mode", "nearest") == "cubic" and not _by_ratio(node, before, after):
        return "OpenVINO samples by the ratio of the sizes, and its scale is another"
    # It takes the same few pixels as without.
    if hub.integer(node, "antialias", 0) and any(a < b for a, b in zip(after, before, strict=True)):
        return "OpenVINO does not smooth where antialias asks it to"
    return ""


def _by_ratio(node: ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether the scales that a Resize names are the ratios of its sizes."""
    scales = hub.constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if scales is None or scales.size != len(before):
        return True
    named = np.asarray(scales, np.float64).tolist()
    return all(abs(b * s - a) < 1e-4 for b, s, a in zip(before, named, after, strict=True))


def _put_beside(model: ir.Model, node: ir.Node) -> None:
    """Write a Pad by a number as a Concat of constants.

    Among integers OpenVINO moves scales and shifts behind the Pad, and fills in its value as if it were an integer.
    """
    x, value, pads = node.inputs[0], hub.constant(node.inputs[2]) if len(node.inputs) > 2 else None, hub.pads(node)
    if x is None or pads is None or value is None or hub.text(node, "mode", "constant") != "constant":
        return
    if not value.any() or min(min(both) for both in pads) < 0:
        return
    editor = edit.Editor(model, node)
    for axis, amounts in enumerate(pads):
        shape = edit.shape_of(x) or ()
        blocks = [np.full((*shape[:axis], n, *shape[axis + 1 :]), value.item(), np.float32) for n in amounts]
        start, end = (
            [editor.constant(block, f"{name}_{axis}")] if block.size else []
            for name, block in zip(("before", "after"), blocks, strict=True)
        )
        x = editor.join([*start, x, *end], axis)
    edit.replace(node.outputs[0], x)


_SCALED = ("InstanceNormalization", "BatchNormalization", "Mul")
"""What multiplies each channel by a number."""


def _tell_channels_apart(model: ir.Model) -> None:
    """Let one scale of a channel differ from the others in its last bit, where all are equal.

    Among integers OpenVINO takes equal scales for one number and moves them behind a DepthToSpace, which leaves fewer
    channels than there are scales: the file cannot be loaded.
    """
    for node in tuple(model.graph):
        for index, value in enumerate(node.inputs[:2] if node.op_type in _SCALED else ()):
            scale = hub.constant(value)
            if scale is None or scale.dtype != np.float32 or scale.size < 2 or np.ptp(scale) > 0:
                continue
            apart = scale.copy()
            apart.flat[0] = np.nextafter(apart.flat[0], np.float32(np.inf))
            node.replace_input_with(index, hub.add_constant(model, f"{node.outputs[0].name}_apart", apart))


def _slope_of_columns(model: ir.Model, node: ir.Node) -> None:
    """A slope of one axis belongs to the last axis in ONNX; OpenVINO takes it for the channels where it has as many."""
    source, slope = node.inputs[0], hub.constant(node.inputs[1])
    assert source is not None
    if slope is None or slope.ndim != 1 or slope.size == 1:
        return
    shape = (1,) * (len(hub.static_shape(source)) - 1) + slope.shape
    node.replace_input_with(1, hub.add_constant(model, f"{node.outputs[0].name}_slope", slope.reshape(shape)))


def _count_from_the_start(model: ir.Model, node: ir.Node) -> None:
    """Places counted from the end are counted from the start, which is all that OpenVINO knows here."""
    source, places = node.inputs[0], hub.constant(node.inputs[1])
    assert source is not None
    if places is None:
        return
    found = np.asarray(places, np.int64)
    if found.min() >= 0:
        return
    shape = hub.static_shape(source)
    length = shape[hub.integer(node, "axis", 0) % len(shape)]
    counted = np.where(found < 0, found + length, found)
    node.replace_input_with(1, hub.add_constant(model, f"{node.outputs[0].name}_places", counted))


def _spell_out_pads(node: ir.Node) -> None:
    """``output_shape`` becomes ``pads``: OpenVINO puts an odd row on the other side than ONNX."""
    mode = hub.text(node, "auto_pad", "NOTSET")
    if "output_shape" not in node.attributes and not mode.startswith("SAME"):
        return
    source, kernel = node.inputs[0], node.inputs[1]
    assert source is not None and kernel is not None
    axes = len(hub.static_shape(source)) - 2
    ones = (1,) * axes
    strides, dilations = hub.ints(node, "strides", ones), hub.ints(node, "dilations", ones)
    extra = list(hub.ints(node, "output_padding", (0,) * axes))
    begin, end = [0] * axes, [0] * axes
    for i in range(axes):
        length, taps, out = (hub.static_shape(v)[i + 2] for v in (source, kernel, node.outputs[0]))
        total = strides[i] * (length - 1) + extra[i] + (taps - 1) * dilations[i] + 1 - out
        if total < 0:
            extra[i], total = extra[i] - total, 0
        # ONNX: the odd row is cut at the end for SAME_UPPER, at the start for everything else.
        begin[i] = total // 2 if mode == "SAME_UPPER" else total - total // 2
        end[i] = total - begin[i]
    for name in ("output_shape", "auto_pad"):
        node.attributes.pop(name, None)
    node.attributes["pads"] = ir.AttrInt64s("pads", [*begin, *end])
    node.attributes["output_padding"] = ir.AttrInt64s("output_padding", extra)


def _hide_order(model: ir.Model, node: ir.Node) -> None:
    """Channels in another order are gathered by a table and not by a list.

    OpenVINO merges the list into the convolution that follows, and is right only for orders that undo themselves, such as
    RGB to BGR.
    """
    source, places = node.inputs[0], hub.constant(node.inputs[1])
    assert source is not None
    shape = hub.static_shape(source)
    if places is None or places.ndim != 1 or len(shape) < 2 or hub.integer(node, "axis", 0) % len(shape) != 1:
        return
    out = node.outputs[0]
    wanted = hub.static_shape(out)
    node.replace_input_with(1, hub.add_constant(model, f"{out.name}_table", places.reshape(1, -1)))
    back = hub.add_constant(model, f"{out.name}_shape", np.array(wanted, np.int64))
    reshape = ir.node("Reshape", [out, back], name=f"{node.name}_flat")
    flat = reshape.outputs[0]
    flat.name, flat.shape, flat.dtype = f"{out.name}_flat", out.shape, ir.DataType.FLOAT
    for reader, index in tuple(out.uses()):
        if reader is not reshape:
            reader.replace_input_with(index, flat)
    out.shape = ir.Shape((shape[0], 1, *wanted[1:]))
    model.graph.insert_after(node, reshape)
