"""The ``onnx`` target: the graph itself, labelled, its long norms as means of means; weights in float32 or float16."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, Refusal
from pocketlens.converters.quantization.pixels import take_bytes
from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes
from pocketlens.converters.rewrites.spell_out_group_norm import SpellOutGroupNorm
from pocketlens.precisions import PRECISIONS

_SMALL = 256
"""Tensors of fewer elements stay float32 in fp16 files: norms and scalars, a few hundred bytes that cost accuracy."""
_FLOAT16_MAX = float(np.finfo(np.float16).max)


def refusals(model: ir.Model) -> list[Refusal]:
    """Nodes outside the standard ONNX operator set."""
    import onnx

    found = []
    for node in model.graph:
        if node.domain not in ("", "ai.onnx"):
            reason = f"domain {node.domain!r} is not standard ONNX"
        elif not onnx.defs.has(node.op_type, hub.OPSET):
            reason = f"not an operator of opset {hub.OPSET}"
        else:
            continue
        found.append(Refusal("onnx", node.op_type, node.name or "", reason))
    return found


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write an ``.onnx`` file: input and output ``[1, 3, H, W]``, RGB 0..255, ``uint8`` where activations are coded, else ``float32``.

    ``fp16`` halves the file: large weights are stored as float16 behind a Cast, which runtimes fold when they load, so
    that arithmetic and speed stay those of float32 (see docs/decisions/0002).
    """
    model = precise(model)
    if precision == "fp16":
        _halve_weights(model)
    elif PRECISIONS[precision].quantizes == "activations":
        model = take_bytes(model)
    model.producer_name, model.producer_version = "pocketlens", labels.version
    model.doc_string = labels.description
    model.metadata_props.update(
        {"name": labels.name, "license": labels.license, "author": labels.author, "precision": precision}
    )
    hub.save(model, path)


def precise(model: ir.Model) -> ir.Model:
    """A copy of the graph that onnxruntime computes exactly enough at any size; the same pixels.

    Example:
        >>> precise(ir.Model(ir.Graph([], [], nodes=[]), ir_version=10)).ir_version
        10
    """
    model = model.clone()
    if SpellOutGroupNorm()(model).modified:
        MergeReshapes()(model)
    return model


def is_precise(model: ir.Model) -> bool:
    """Whether onnxruntime computes the graph exactly enough as it is."""
    return not SpellOutGroupNorm()(model.clone()).modified


def _halve_weights(model: ir.Model) -> None:
    for value in tuple(model.graph.initializers.values()):
        array = hub.constant(value)
        if array is None or array.dtype != np.float32 or array.size < _SMALL or np.abs(array).max() > _FLOAT16_MAX:
            continue
        half = hub.add_constant(model, f"{value.name}_fp16", array.astype(np.float16))
        cast = ir.node("Cast", [half], {"to": ir.DataType.FLOAT}, name=f"{value.name}_cast")
        cast.outputs[0].shape, cast.outputs[0].dtype = value.shape, ir.DataType.FLOAT
        for node, index in tuple(value.uses()):
            node.replace_input_with(index, cast.outputs[0])
        model.graph.insert_before(model.graph[0], cast)
        del model.graph.initializers[str(value.name)]
