"""The ``tflite`` target: the graph becomes an NHWC flatbuffer, written directly; no TensorFlow, no transposes.

The steps, one module each: ``lower`` walks the graph and lets the ``lowerings`` add operators to a ``builder``,
``fuse`` merges neighbours, ``weights`` stores weights as float16 or int8, ``metadata`` describes the model, and
``write`` lays out the bytes.
"""

from pathlib import Path

import onnx_ir as ir

from pocketlens import files
from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal
from pocketlens.converters.grid_sample import decompose_grid_samples
from pocketlens.converters.quantization.pixels import use_uint8_pixels
from pocketlens.converters.tflite import weights
from pocketlens.converters.tflite.fuse import fuse
from pocketlens.converters.tflite.lower import lower_graph
from pocketlens.converters.tflite.lowerings import TABLE
from pocketlens.errors import UnsupportedError, require
from pocketlens.targets import TARGETS

_OPERATORS_SUMMARY = (
    "computes with float32 and booleans. Values of four axes are stored channels last, all others as they are; a"
    " reshape between the two is a transpose more where the order of the values changes. Of an operator with several"
    " outputs only the first may be used, Split aside."
)


def refusals(model: ir.Model) -> list[Refusal]:
    """Every node that TFLite cannot express, with its reason; ai-edge-litert is not needed to know."""
    return TABLE.refusals(decompose_grid_samples(model))


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write the graph as a ``.tflite`` file: ``[1, height, width, 3]`` in and out, 0..255; of a pack ``style`` too.

    Pixels are ``uint8`` for ``int8``, else ``float32``.

    Args:
        model: The graph; it is not changed.
        precision: ``fp32``, ``fp16``, ``w8`` or ``int8``; how each stores weights is told in
            :mod:`pocketlens.converters.tflite.weights`.
        labels: Written into the file's description and metadata.
        path: Where to; the same graph, precision and labels give the same bytes.

    Raises:
        InputError: There is no such precision.
        UnsupportedError: A node cannot be expressed.
        MissingError: flatbuffers or ai-edge-litert (whose schema is used) is not installed.
    """
    require("ai_edge_litert", "build")
    require("flatbuffers", "build")
    from pocketlens.converters.tflite.write import flatbuffer

    TARGETS["tflite"].precision(precision)
    if precision == "int8":
        model = use_uint8_pixels(model)
        weights.remove_activation_quantizers(model)
    model = decompose_grid_samples(model)
    if refused := refusals(model):
        raise UnsupportedError(
            "\n".join(str(refusal) for refusal in refused), do="drop the target, or replace the operator in the model"
        )
    builder = lower_graph(model)
    inputs, outputs = ([builder.get(value) for value in values] for values in (model.graph.inputs, model.graph.outputs))
    operators = fuse(builder, outputs)
    if precision == "fp16":
        operators = weights.store_float16(operators)
    elif precision == "w8":
        operators = weights.store_int8(operators)
    elif precision == "int8":
        operators = weights.store_dynamic_range_int8(operators)
    for value, tensor in zip(model.graph.outputs, outputs, strict=True):
        tensor.name = str(value.name)
    files.write(path, flatbuffer(operators, inputs, outputs, labels))


def lowered_operators() -> LoweredOperators:
    """The operators that have a lowering, and what each asks of its nodes."""
    return LoweredOperators(TABLE.operators(), _OPERATORS_SUMMARY, has_own_lowerings=True)
