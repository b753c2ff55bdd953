"""The ``qnn`` target: a binary for the NPU of one Snapdragon chip, and the small ``.onnx`` that an app opens it with.

The chip's own compiler makes the binary; it comes with onnxruntime-qnn and runs on x86-64 Linux.
"""

import tempfile
from pathlib import Path

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal
from pocketlens.converters.float_steps import round_in_floats
from pocketlens.converters.long_norms import decompose_long_norms
from pocketlens.converters.qnn.compiler import compile_context
from pocketlens.converters.qnn.context_file import write_context_file
from pocketlens.converters.qnn.exact_activations import keep_activations_exact
from pocketlens.converters.qnn.exact_pads import keep_pads_exact
from pocketlens.converters.qnn.operators import HTP_OPERATORS
from pocketlens.converters.qnn.wrong_operators import why_wrong
from pocketlens.converters.quantization.pixels import use_uint8_pixels
from pocketlens.converters.rewrites.decompose_for_npu import DecomposeForNpu
from pocketlens.errors import UnsupportedError
from pocketlens.targets import TARGETS

_TARGET = TARGETS["qnn"]


def refusals(model: ir.Model) -> list[Refusal]:
    """Nodes that onnxruntime-qnn hands to no NPU, or that the NPU would compute wrongly. Whether it takes one of the
    others is known when the graph is compiled.
    """
    reasons = ((node, _why_left(node) or why_wrong(node)) for node in model.graph)
    return [Refusal("qnn", node.op_type, node.name or "", reason) for node, reason in reasons if reason]


def _why_left(node: ir.Node) -> str:
    is_taken = node.domain in ("", "ai.onnx") and node.op_type in HTP_OPERATORS
    return "" if is_taken else "onnxruntime-qnn leaves it to the processor"


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
        UnsupportedError: Part of the graph would not run on the NPU, or be wrong there; names each operator and its
            node.
        MissingError: onnxruntime-qnn is not installed here.
    """
    chosen = _TARGET.chip(chip or _TARGET.chip_names(precision)[0])
    integers = _TARGET.precision(precision).quantizes == "activations"
    model = use_uint8_pixels(decompose_long_norms(model if integers else _with_exact_functions(model)))
    keep_activations_exact(model)
    keep_pads_exact(model)
    if wrong := [(node, reason) for node in model.graph if (reason := why_wrong(node))]:
        lines = "\n".join(f"  {Refusal('qnn', node.op_type, node.name or '', reason)}" for node, reason in wrong)
        raise UnsupportedError(
            f"{path.stem} would be wrong on the NPU:\n{lines}",
            do="replace them in the model" + (", or choose fp16" if integers else ""),
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


def _with_exact_functions(model: ir.Model) -> ir.Model:
    """A graph of floats, or a copy, in which no function is left that the NPU reads from a coarse table or leaves
    out.
    """
    model = round_in_floats(model.clone())
    DecomposeForNpu(integers=False)(model)
    return model


def lowered_operators() -> LoweredOperators:
    """The operators that onnxruntime-qnn has a translation for."""
    return LoweredOperators(
        dict.fromkeys(sorted(HTP_OPERATORS), ""),
        "takes what onnxruntime-qnn translates for the NPU. A node may still be refused when it is compiled; then the"
        " refusal names it and says why.",
    )
