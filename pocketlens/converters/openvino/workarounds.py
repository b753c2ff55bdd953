"""Workarounds for nodes that OpenVINO (2026.4) computes otherwise than ONNX defines: they are rewritten, or refused.

Each was found by ``make conformance``, and has its case in ``tests/conformance/regressions.py``.
"""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.long_norms import decompose_long_norms
from pocketlens.converters.quantization.plan import has_quantizers
from pocketlens.converters.resize_matrix import resize_matrix, why_not
from pocketlens.converters.rewrites import edit


def apply_workarounds(model: ir.Model) -> ir.Model:
    """A copy of the graph that OpenVINO computes as ONNX defines it; the same pixels."""
    model = decompose_long_norms(model)
    for node in tuple(model.graph):
        if node.op_type == "ConvTranspose":
            _make_pads_explicit(node)
        elif node.op_type == "Gather":
            _gather_by_a_table(model, node)
        elif node.op_type == "GatherElements":
            _make_indices_positive(model, node)
        elif node.op_type == "PRelu":
            _give_slope_all_axes(model, node)
        elif node.op_type == "Resize" and _samples_otherwise(node) and not _why_no_matrices(node):
            _resize_by_matrices(model, node)
    if has_quantizers(model):
        if any(node.op_type == "DepthToSpace" for node in model.graph):
            _make_scales_unequal(model)
        for node in tuple(model.graph):
            if node.op_type == "Pad" and not node.domain:
                _pad_by_concatenation(model, node)
    return model


def computes_something_else(node: ir.Node) -> str:
    """Why a node is refused that OpenVINO converts but computes wrongly; empty if it computes it rightly."""
    if node.domain:
        return ""
    if node.op_type == "GatherElements" and edit.producer(node.inputs[0], "Slice"):
        return "OpenVINO drops the Slice in front of it"
    if node.op_type != "Resize" or not (reason := _samples_otherwise(node)):
        return ""
    return f"{reason}, and {_why_no_matrices(node)}" if _why_no_matrices(node) else ""


def _samples_otherwise(node: ir.Node) -> str:
    """Why OpenVINO's own operator computes another picture than a Resize."""
    if hub.text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return "OpenVINO does not keep the aspect ratio"
    if hub.text(node, "mode", "nearest") == "cubic" and hub.integer(node, "exclude_outside", 0):
        return "OpenVINO does not leave out what is outside"
    before, after = hub.static_shape(node.inputs[0]) if node.inputs[0] else (), hub.static_shape(node.outputs[0])
    if hub.text(node, "mode", "nearest") == "cubic" and not _scales_are_ratios(node, before, after):
        return "OpenVINO samples by the ratio of the sizes, and its scale is another"
    # It takes the same few pixels as without.
    if hub.integer(node, "antialias", 0) and any(a < b for a, b in zip(after, before, strict=True)):
        return "OpenVINO does not smooth where antialias asks it to"
    return ""


def _why_no_matrices(node: ir.Node) -> str:
    before, after = hub.static_shape(node.inputs[0]) if node.inputs[0] else (), hub.static_shape(node.outputs[0])
    if len(before) != 4 or before[:2] != after[:2]:
        return "it resizes more than height and width"
    if hub.text(node, "mode", "nearest") not in ("linear", "cubic"):
        return "its mode is nearest"
    return why_not(node, before, after)


def _resize_by_matrices(model: ir.Model, node: ir.Node) -> None:
    """Write a Resize as a product with a matrix for each axis."""
    x = node.inputs[0]
    assert x is not None
    before, after = hub.static_shape(x), hub.static_shape(node.outputs[0])
    editor = edit.Editor(model, node)
    rows, columns = (resize_matrix(node, axis, before, after) for axis in (2, 3))
    down = editor.add("MatMul", [editor.constant(rows, "rows"), x], (*after[:3], before[3]))
    across = editor.constant(np.ascontiguousarray(columns.T), "columns")
    edit.replace(node.outputs[0], editor.add("MatMul", [down, across], after))


def _scales_are_ratios(node: ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether the scales of a Resize are the ratios of its sizes."""
    scales = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if scales is None or scales.size != len(before):
        return True
    factors = np.asarray(scales, np.float64).tolist()
    return all(abs(b * s - a) < 1e-4 for b, s, a in zip(before, factors, after, strict=True))


def _pad_by_concatenation(model: ir.Model, node: ir.Node) -> None:
    """Write a Pad by a number as a Concat of constants.

    Among integers OpenVINO moves scales and shifts behind the Pad, and fills in its value as if it were an integer.
    """
    x, value, pads = node.inputs[0], constant(node.inputs[2]) if len(node.inputs) > 2 else None, hub.pads(node)
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
        x = editor.concat([*start, x, *end], axis)
    edit.replace(node.outputs[0], x)


_SCALING_OPERATORS = ("InstanceNormalization", "BatchNormalization", "Mul")
"""Operators that multiply each channel by a number."""


def _make_scales_unequal(model: ir.Model) -> None:
    """Where the scales of all channels are equal, let the first differ from the others in its last bit.

    Among integers OpenVINO takes equal scales for one number and moves them behind a DepthToSpace, which leaves fewer
    channels than there are scales: the file cannot be loaded.
    """
    for node in tuple(model.graph):
        for index, value in enumerate(node.inputs[:2] if node.op_type in _SCALING_OPERATORS else ()):
            scale = constant(value)
            if scale is None or scale.dtype != np.float32 or scale.size < 2 or np.ptp(scale) > 0:
                continue
            unequal = scale.copy()
            unequal.flat[0] = np.nextafter(unequal.flat[0], np.float32(np.inf))
            node.replace_input_with(index, hub.add_constant(model, f"{node.outputs[0].name}_apart", unequal))


def _give_slope_all_axes(model: ir.Model, node: ir.Node) -> None:
    """Give a PRelu slope of one axis all axes: ONNX means the last axis; OpenVINO takes as many for channels."""
    source, slope = node.inputs[0], constant(node.inputs[1])
    assert source is not None
    if slope is None or slope.ndim != 1 or slope.size == 1:
        return
    shape = (1,) * (len(hub.static_shape(source)) - 1) + slope.shape
    node.replace_input_with(1, hub.add_constant(model, f"{node.outputs[0].name}_slope", slope.reshape(shape)))


def _make_indices_positive(model: ir.Model, node: ir.Node) -> None:
    """Indices counted from the end are counted from the start: OpenVINO computes only those rightly."""
    source, places = node.inputs[0], constant(node.inputs[1])
    assert source is not None
    if places is None:
        return
    indices = np.asarray(places, np.int64)
    if indices.min() >= 0:
        return
    shape = hub.static_shape(source)
    length = shape[hub.integer(node, "axis", 0) % len(shape)]
    positive = np.where(indices < 0, indices + length, indices)
    node.replace_input_with(1, hub.add_constant(model, f"{node.outputs[0].name}_places", positive))


def _make_pads_explicit(node: ir.Node) -> None:
    """Replace ``output_shape`` and ``auto_pad`` by ``pads``: OpenVINO cuts an odd row at the other end than ONNX."""
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


def _gather_by_a_table(model: ir.Model, node: ir.Node) -> None:
    """Gather channels in another order by indices of two axes instead of one.

    OpenVINO merges indices of one axis into the convolution that follows, and is right only for orders that are their
    own inverse, such as RGB to BGR.
    """
    source, places = node.inputs[0], constant(node.inputs[1])
    assert source is not None
    shape = hub.static_shape(source)
    if places is None or places.ndim != 1 or len(shape) < 2 or hub.integer(node, "axis", 0) % len(shape) != 1:
        return
    out = node.outputs[0]
    gathered_shape = hub.static_shape(out)
    node.replace_input_with(1, hub.add_constant(model, f"{out.name}_table", places.reshape(1, -1)))
    target_shape = hub.add_constant(model, f"{out.name}_shape", np.array(gathered_shape, np.int64))
    reshape = ir.node("Reshape", [out, target_shape], name=f"{node.name}_flat")
    flat = reshape.outputs[0]
    flat.name, flat.shape, flat.dtype = f"{out.name}_flat", out.shape, ir.DataType.FLOAT
    for reader, index in tuple(out.uses()):
        if reader is not reshape:
            reader.replace_input_with(index, flat)
    out.shape = ir.Shape((shape[0], 1, *gathered_shape[1:]))
    model.graph.insert_after(node, reshape)
