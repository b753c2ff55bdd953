"""Reading somebody else's ``.tflite`` file as the source of a generator: it becomes an ONNX model, and goes on as one.

The steps, one module each: ``flatbuffer`` reads the bytes without trusting them, ``importer`` walks the operators and
lets the ``rules`` add ONNX nodes. ``hybrid`` and ``ranges`` are about how the file itself is played, which is what
everything made of it is compared with.
"""

from pathlib import Path

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.mend_file import MENDED, quantization_note
from pocketlens.converters.tflite_source import rules
from pocketlens.converters.tflite_source.flatbuffer import TFLiteFile, read_file
from pocketlens.converters.tflite_source.hybrid import hybrid_weights
from pocketlens.converters.tflite_source.importer import IR_VERSION, Importer
from pocketlens.errors import InputError

__all__ = ["DOMAIN", "FILE", "import_file", "read_tflite", "rules", "shell_of"]

DOMAIN, FILE = "pocketlens.tflite", "File"
"""The one operator of a shell."""


def read_tflite(path: Path) -> ir.Model:
    """Read a user's ``.tflite`` file as an ONNX model of the graph's operator set.

    Inputs and outputs have the file's names and the order of its axes; quantized ones are floats. The model's ``meta``
    says what becomes of integers (:data:`~pocketlens.converters.mend_file.MENDED`).

    Raises:
        InputError: The file is absent, damaged or too large, or has an operator that is not read.
        MissingError: ai-edge-litert is not installed.
    """
    return import_file(read_file(path))


def import_file(file: TFLiteFile) -> ir.Model:
    """The ONNX model of a file that was read.

    Raises:
        InputError: It contradicts itself, or has an operator that is not read.
    """
    importer = Importer(file)
    try:
        model = importer.model()
        _check(model)
    except InputError:
        raise
    # A damaged file reaches numpy, onnx_ir and ONNX's checker, whose errors have no common base.
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{file.path} is not a readable TFLite model: {first}", do="check that the file is whole"
        ) from error
    weights = sum(tensor.data is not None and tensor.quantization is not None for tensor in file.tensors)
    notes = quantization_note(weights, importer.quantized)
    layers = len(hybrid_weights(file))
    if layers:
        notes.append(
            f"{layers} of its layers have int8 weights and read floats: LiteRT rounds what they read, in steps that it "
            "chooses for each picture; here they are computed in floats"
        )
    if notes:
        model.meta[MENDED] = notes
    return model


def shell_of(model: ir.Model) -> ir.Model:
    """A model of the same inputs and outputs whose one node stands for the whole file: what is put before and behind
    it, is put before and behind the file.
    """
    graph = model.graph
    inputs, outputs = (
        [ir.Value(name=v.name, shape=v.shape, type=v.type) for v in values] for values in (graph.inputs, graph.outputs)
    )
    node = ir.node(FILE, inputs, domain=DOMAIN, outputs=outputs, name="file")
    opsets = {"": hub.OPSET, DOMAIN: 1}
    return ir.Model(ir.Graph(inputs, outputs, nodes=[node], opset_imports=opsets, name="shell"), ir_version=IR_VERSION)


def _check(model: ir.Model) -> None:
    """ONNX's own checker, as for every file; it takes no more than 2 GB, and weights are checked already."""
    import onnx

    bare = ir.Model(model.graph.clone(), ir_version=model.ir_version)
    onnx.checker.check_model(ir.to_proto(bare))
