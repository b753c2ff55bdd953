"""The TFLite emitter: the graph becomes an NHWC flatbuffer, written directly.

No TensorFlow, no transposes. The steps, one module each: :mod:`registry <pocketlens.converters.tflite.registry>` walks the
graph and lets the ``lowerings`` add operators to a :mod:`draft <pocketlens.converters.tflite.draft>`,
:mod:`fuse <pocketlens.converters.tflite.fuse>` merges neighbours, :mod:`half <pocketlens.converters.tflite.half>` halves the
weights, :mod:`write <pocketlens.converters.tflite.write>` lays out the bytes.
"""

from pathlib import Path

import onnx_ir as ir

from pocketlens import files
from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal
from pocketlens.errors import UnsupportedError, require
from pocketlens.targets import TARGETS

SUFFIX = ".tflite"
_OPERATORS_SUMMARY = (
    "computes with float32 and booleans. Values of four axes are stored channels last, all others as they are; a reshape between"
    " the two is a transpose more where the order of the values changes. Of an operator with several outputs only the first may"
    " be used, Split aside."
)


def refusals(model: ir.Model) -> list[Refusal]:
    """Every node that TFLite cannot express, found by the walk that also converts; nothing is written."""
    from pocketlens.converters.tflite import registry

    return registry.draft(model)[1]


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write the graph as a ``.tflite`` file: ``[1, height, width, 3]`` in and out, 0..255; of a pack ``style`` too.

    Pixels are ``uint8`` for ``int8``, else ``float32``.

    Args:
        model: The graph; it is not changed.
        precision: ``fp32``, or ``fp16`` for half-sized weights that the runtime widens again when it loads,
            or ``w8`` for those that the graph codes in 8 bits, ``int8`` for convolutions of a QDQ graph in int8.
        labels: Written into the file's description and metadata.
        path: Where to; the same graph, precision and labels give the same bytes.

    Raises:
        InputError: There is no such precision.
        UnsupportedError: A node cannot be expressed.
        MissingError: flatbuffers or ai-edge-litert (whose schema is used) is not installed.
    """
    require("ai_edge_litert", "build")
    require("flatbuffers", "build")
    from pocketlens.converters.quantization.pixels import take_bytes
    from pocketlens.converters.tflite import hybrid, registry
    from pocketlens.converters.tflite.eight import code
    from pocketlens.converters.tflite.fuse import fuse
    from pocketlens.converters.tflite.half import halve
    from pocketlens.converters.tflite.write import flatbuffer

    TARGETS["tflite"].precision(precision)
    if precision == "int8":
        model = take_bytes(model)
        hybrid.float_activations(model)
    draft, refused = registry.draft(model)
    if refused:
        raise UnsupportedError(
            "\n".join(str(refusal) for refusal in refused), do="drop the target, or replace the operator in the model"
        )
    inputs, stylized = [draft.of(value) for value in model.graph.inputs], draft.of(model.graph.outputs[0])
    operators = fuse(draft, stylized)
    if precision == "fp16":
        operators = halve(operators)
    elif precision == "w8":
        operators = code(operators)
    elif precision == "int8":
        operators = hybrid.code(operators)
    files.write(path, flatbuffer(operators, inputs, stylized, labels))


def lowered_operators() -> LoweredOperators:
    """The operators that have a lowering, and what each asks for."""
    from pocketlens.converters.tflite import registry

    return LoweredOperators(registry.conditions(), _OPERATORS_SUMMARY, has_own_lowerings=True)
