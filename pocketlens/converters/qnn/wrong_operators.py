"""Nodes that Qualcomm's compiler takes and the NPU computes wrongly (onnxruntime-qnn 2.7.0).

docs/upstream.md has the smallest graph of each. What Pocketlens quantizes itself has none of those that are about
integers (:mod:`pocketlens.converters.quantization.everywhere`): they come with graphs that another tool has quantized.
"""

import math

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.nearest import resize_scale
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.decompose_for_npu import is_truncation

_NEAREST = {
    "half_pixel": ("round_prefer_floor", "round_prefer_ceil"),
    "pytorch_half_pixel": ("round_prefer_floor", "round_prefer_ceil"),
    "align_corners": ("round_prefer_floor", "round_prefer_ceil"),
    "asymmetric": ("floor",),
}
"""The roundings of a nearest Resize that the NPU computes as ONNX says, by its convention."""
_SAME_SIZE = 1e-4
"""Pixels that a scale times a size may be off by its rounding."""
_MOVES = ("Clip", "DequantizeLinear", "QuantizeLinear", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
COARSEST_LOGARITHM = 2**-14
"""The largest scale of 16-bit integers in which a Log gives other numbers."""


def why_wrong(node: ir.Node) -> str:
    """Why the NPU would compute a node of a graph wrongly; empty if it would not."""
    if node.domain not in ("", "ai.onnx") or node.op_type not in _CHECKS:
        return ""
    return _CHECKS[node.op_type](node)


def _resize(node: ir.Node) -> str:
    """The NPU samples by the ratio of the sizes, and rounds in its own way."""
    before, after = (hub.static_shape(value) for value in (node.inputs[0], node.outputs[0]))  # type: ignore[arg-type]
    convention = hub.text(node, "coordinate_transformation_mode", "half_pixel")
    if len(before) != 4:
        return ""
    if hub.text(node, "mode", "nearest") == "nearest":
        rounding = hub.text(node, "nearest_mode", "round_prefer_floor")
        is_whole = all(large % small == 0 for small, large in zip(before, after, strict=True))
        if rounding not in _NEAREST.get(convention, ()) or (convention == "pytorch_half_pixel" and not is_whole):
            return f"the NPU takes another pixel than {convention} and {rounding} do"
    if convention == "align_corners":
        return ""
    scales = [(axis, resize_scale(node, axis, before, after)) for axis in (2, 3)]
    odd = [(axis, scale) for axis, scale in scales if abs(before[axis] * scale - after[axis]) > _SAME_SIZE]
    return f"the scale {odd[0][1]:g} is not {after[odd[0][0]]} / {before[odd[0][0]]}" if odd else ""


def _transposed(node: ir.Node) -> str:
    if set(hub.ints(node, "dilations", (1, 1))) != {1}:
        return "the NPU takes no dilation"
    extra, pads = hub.ints(node, "output_padding", (0, 0)), hub.ints(node, "pads", (0, 0, 0, 0))
    if any(more > cropped for more, cropped in zip(extra, pads[len(extra) :], strict=True)):
        return "the NPU leaves the bias out of rows of output_padding that the kernel does not reach"
    if _read_scale(node, 0) is not None and hub.integer(node, "group", 1) > 1:
        return "the NPU computes no groups in integers"
    return ""


def _cast(node: ir.Node) -> str:
    """Of floats, it is written in another way."""
    if not is_truncation(node) or _read_scale(node.inputs[0].producer(), 0) is None:  # type: ignore[arg-type,union-attr]
        return ""
    return "the NPU leaves out a Cast to other integers and back"


def _logarithm(node: ir.Node) -> str:
    scale = _written_scale(node)
    if scale is None or scale[1].dtype != np.uint16 or scale[0] > COARSEST_LOGARITHM:
        return ""
    return f"the NPU computes no Log whose integers have a scale of 2^-14 or less, here {float(scale[0]):.2g}"


def _power(node: ir.Node) -> str:
    base = edit.producer(node.inputs[0], "DequantizeLinear")
    is_constant = base is not None and constant(base.inputs[0]) is not None
    if not is_constant or _read_scale(node, 1) is None or _is_constant_read(node, 1):
        return ""
    return "the NPU computes no power of a constant in integers"


def _product(node: ir.Node) -> str:
    """Of one row with a matrix of one row."""
    step = edit.producer(node.inputs[1], "DequantizeLinear")
    lengths, scales = edit.shape_of(node.inputs[0]), constant(step.inputs[1]) if step is not None else None
    if scales is None or scales.size == 1 or lengths is None or math.prod(lengths) != 1:
        return ""
    return "the NPU's compiler does not end on a product of one number with a row of weights that have a scale each"


def _reduced(node: ir.Node) -> str:
    lengths, axes = edit.shape_of(node.inputs[0]), edit.constant_integers(node, 1)
    if lengths is None or axes is None or len(lengths) != 4 or _read_scale(node, 0) is None:
        return ""
    over = {axis % 4 for axis in axes}
    if 1 not in over or lengths[1] == 1 or all(lengths[axis] > 1 for axis in over):
        return ""
    return "the NPU sums up other integers where an axis of length 1 is among the axes beside that of channels"


def _scattered(node: ir.Node) -> str:
    if any(_read_scale(node, index) is not None and _is_of_function(node.inputs[index]) for index in (0, 2)):
        return "the NPU copies the integers of a Sigmoid or Tanh, whose scale is another than the graph's"
    read = [_read_scale(node, index) for index in (0, 2)]
    written = _written_scale(node)
    if written is None or None in read:
        return ""
    if all(scale is not None and scale[0] == written[0] and scale[1] == written[1] for scale in read):
        return ""
    return "the NPU copies its integers, whose scales differ"


def _is_of_function(value: ir.Value | None) -> bool:
    """Whether nothing but quantizers and what moves numbers stands between a Sigmoid or Tanh and a value."""
    maker = value.producer() if value is not None else None
    while maker is not None and maker.op_type in _MOVES:
        maker = maker.inputs[0].producer() if maker.inputs[0] is not None else None
    return maker is not None and maker.op_type in ("Sigmoid", "Tanh")


def _read_scale(node: ir.Node, index: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and zero point of the integers that an input is made of; None of floats."""
    step = edit.producer(node.inputs[index], "DequantizeLinear")
    return None if step is None else _scale(step)


def _written_scale(node: ir.Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and zero point of the integers that the output becomes; None of floats."""
    steps = [reader for reader, _ in node.outputs[0].uses() if reader.op_type == "QuantizeLinear"]
    return _scale(steps[0]) if steps else None


def _scale(step: ir.Node) -> tuple[np.ndarray, np.ndarray] | None:
    scale, zero = constant(step.inputs[1]), constant(step.inputs[2]) if len(step.inputs) > 2 else None
    if scale is None or scale.size != 1:
        return None
    return scale.reshape(()), np.array(0, np.uint8) if zero is None else zero.reshape(())


def _is_constant_read(node: ir.Node, index: int) -> bool:
    step = edit.producer(node.inputs[index], "DequantizeLinear")
    return step is not None and constant(step.inputs[0]) is not None


_CHECKS = {
    "Cast": _cast,
    "ConvTranspose": _transposed,
    "Gemm": _product,
    "Log": _logarithm,
    "MatMul": _product,
    "Pow": _power,
    "ReduceMean": _reduced,
    "ReduceSum": _reduced,
    "Resize": _resize,
    "ScatterElements": _scattered,
}
