"""The ``qnn`` target: a binary for the NPU of one Snapdragon chip, and the small ``.onnx`` that an app opens it with.

The chip's own compiler makes the binary; it comes with onnxruntime-qnn and runs on x86-64 Linux.
"""

import tempfile
from pathlib import Path

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal
from pocketlens.converters.long_norms import decompose_long_norms
from pocketlens.converters.nearest import resize_scale
from pocketlens.converters.qnn.compiler import compile_context
from pocketlens.converters.qnn.context_file import write_context_file
from pocketlens.converters.qnn.exact_activations import keep_activations_exact
from pocketlens.converters.qnn.exact_pads import keep_pads_exact
from pocketlens.converters.qnn.operators import HTP_OPERATORS
from pocketlens.converters.quantization.pixels import use_uint8_pixels
from pocketlens.errors import UnsupportedError
from pocketlens.targets import TARGETS

_TARGET = TARGETS["qnn"]
_NEAREST = {
    "half_pixel": ("round_prefer_floor", "round_prefer_ceil"),
    "pytorch_half_pixel": ("round_prefer_floor", "round_prefer_ceil"),
    "align_corners": ("round_prefer_floor", "round_prefer_ceil"),
    "asymmetric": ("floor",),
}
"""The roundings of a nearest Resize that the NPU computes as ONNX says, by its convention (docs/upstream.md)."""
_SAME_SIZE = 1e-4
"""Pixels that a scale times a size may be off by its rounding."""


def refusals(model: ir.Model) -> list[Refusal]:
    """Nodes of operators that onnxruntime-qnn hands to no NPU. Whether it takes a node of the others is known when the
    graph is compiled.
    """
    return [Refusal("qnn", n.op_type, n.name or "", reason) for n in model.graph if (reason := _why_refused(n))]


def _why_refused(node: ir.Node) -> str:
    if node.domain not in ("", "ai.onnx") or node.op_type not in HTP_OPERATORS:
        return "onnxruntime-qnn leaves it to the processor"
    if node.op_type == "Resize":
        return _why_resize_refused(node)
    return _why_transposed_refused(node) if node.op_type == "ConvTranspose" else ""


def _why_resize_refused(node: ir.Node) -> str:
    """Why a Resize is refused, if it is: the NPU samples by the ratio of the sizes, and rounds in its own way."""
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


def _why_transposed_refused(node: ir.Node) -> str:
    """Why a ConvTranspose is refused, if it is; what the NPU would compute wrongly is among it (docs/upstream.md)."""
    if set(hub.ints(node, "dilations", (1, 1))) != {1}:
        return "the NPU takes no dilation"
    extra, pads = hub.ints(node, "output_padding", (0, 0)), hub.ints(node, "pads", (0, 0, 0, 0))
    if any(more > cropped for more, cropped in zip(extra, pads[len(extra) :], strict=True)):
        return "the NPU leaves the bias out of rows of output_padding that the kernel does not reach"
    source = node.inputs[0].producer() if node.inputs[0] is not None else None
    if source is not None and source.op_type == "DequantizeLinear" and hub.integer(node, "group", 1) > 1:
        return "the NPU computes no groups in integers"
    return ""


def emit(
    model: ir.Model,
    precision: str,
    labels: Labels,
    path: Path,
    chip: str = "",
    partly_on_cpu: bool = False,
) -> None:
    """Write ``path`` (``.onnx``) and the ``.bin`` beside it: ``uint8 [1, 3, H, W]`` in and out, RGB 0..255.

    Args:
        model: The graph; it is not changed.
        precision: The artifact's.
        labels: What the file says of itself.
        path: Where to write it.
        chip: The chip; the first that computes in the precision if left out.
        partly_on_cpu: Leave operators that the NPU lacks to the phone's processor, instead of refusing them.

    Raises:
        UnsupportedError: Part of the graph would not run on the NPU; names each operator and its node.
        MissingError: onnxruntime-qnn is not installed here.
    """
    chosen = _TARGET.chip(chip or _TARGET.chip_names(precision)[0])
    model = use_uint8_pixels(decompose_long_norms(model))
    keep_activations_exact(model)
    keep_pads_exact(model)
    if refused := [refusal for refusal in refusals(model) if refusal.operator == "ConvTranspose"]:
        lines = "\n".join(f"  {refusal}" for refusal in refused)
        raise UnsupportedError(
            f"{path.stem} would be wrong on the NPU:\n{lines}", do="replace them in the model, or choose fp16"
        )
    with tempfile.TemporaryDirectory(prefix="pocketlens-qnn-") as home:
        graph = Path(home) / "graph.onnx"
        hub.save(model, graph)
        compiled = compile_context(graph, chosen.soc_model)
        if compiled.left and not partly_on_cpu:
            lines = "\n".join(f"  {left}" for left in compiled.left)
            raise UnsupportedError(
                f"{path.stem} would not stay on the NPU: {len(compiled.left)} of its operators are left to the"
                f" processor:\n{lines}",
                do="replace them in the model, choose another precision, or allow it in the recipe: [chips]"
                " partly_on_cpu = true",
            )
        write_context_file(compiled, path, precision, labels, chosen)


def lowered_operators() -> LoweredOperators:
    """The operators that onnxruntime-qnn has a translation for."""
    return LoweredOperators(
        dict.fromkeys(sorted(HTP_OPERATORS), ""),
        "takes what onnxruntime-qnn translates for the NPU. A node may still be refused when it is compiled; then the"
        " refusal names it and says why.",
    )
