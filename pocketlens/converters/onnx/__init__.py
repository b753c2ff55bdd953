"""The ``onnx`` target: the graph itself, labelled, its long norms decomposed."""

from pathlib import Path

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal
from pocketlens.converters.long_norms import decompose_long_norms
from pocketlens.converters.onnx.integer_products import use_integer_products
from pocketlens.converters.onnx.weights import store_float16
from pocketlens.converters.opset import standard_operators
from pocketlens.converters.quantization.pixels import use_uint8_pixels
from pocketlens.converters.rewrites.decompose_group_norm import MIN_CHANNEL_VALUES
from pocketlens.precisions import PRECISIONS


def refusals(model: ir.Model) -> list[Refusal]:
    """Nodes outside the standard ONNX operator set."""
    return [
        Refusal("onnx", node.op_type, node.name or "", reason) for node in model.graph if (reason := _why_refused(node))
    ]


def _why_refused(node: ir.Node) -> str:
    import onnx

    if node.domain not in ("", "ai.onnx"):
        return f"domain {node.domain!r} is not standard ONNX"
    if not onnx.defs.has(node.op_type, hub.OPSET):
        return f"not an operator of opset {hub.OPSET}"
    return ""


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write an ``.onnx`` file: input and output ``[1, 3, H, W]``, RGB 0..255, ``uint8`` where activations are
    quantized, else ``float32``.

    ``fp16`` stores large weights as float16; arithmetic stays in float32 (see
    :mod:`pocketlens.converters.onnx.weights`).
    """
    quantized = PRECISIONS[precision].quantizes == "activations"
    model = decompose_long_norms(model, *([MIN_CHANNEL_VALUES] if quantized else []))
    if precision == "fp16":
        store_float16(model)
    elif quantized:
        model = use_uint8_pixels(model)
        use_integer_products(model)
    model.producer_name, model.producer_version = "pocketlens", labels.version
    model.doc_string = labels.description
    model.metadata_props.update(
        {"name": labels.name, "license": labels.license, "author": labels.author, "precision": precision}
    )
    hub.save(model, path)


def lowered_operators() -> LoweredOperators:
    """Every standard operator."""
    return LoweredOperators(dict.fromkeys(standard_operators(), ""), "takes every standard operator.")
