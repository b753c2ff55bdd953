"""What the bytes look like to somebody else's reader."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from pocketlens.converters import graph as hub
from pocketlens.targets import TARGETS
from tests.converters.tflite.harness import LABELS, emit_bytes, floats, model, node
from tests.generators import small_graph


def test_identifier_and_version(data: bytes, read: schema.ModelT) -> None:
    assert data[4:8] == b"TFL3"
    assert read.version == 3


def test_the_signature_names_the_picture(data: bytes) -> None:
    assert Interpreter(model_content=data).get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["stylized"]}
    }


def test_the_picture_is_channels_last(data: bytes) -> None:
    interpreter = Interpreter(model_content=data)
    for details in (interpreter.get_input_details(), interpreter.get_output_details()):
        assert details[0]["shape"].tolist() == [1, 32, 48, 3]
        assert details[0]["dtype"] is np.float32


def test_every_buffer_is_aligned(data: bytes) -> None:
    packed = schema.Model.GetRootAs(data)
    filled = [packed.Buffers(i) for i in range(packed.BuffersLength())]
    starts = [b._tab.Vector(b._tab.Offset(4)) for b in filled if b.DataLength()]
    assert len(starts) > 10
    assert all(start % 16 == 0 for start in starts)
    assert packed.Buffers(0).DataLength() == 0


def test_biases_have_one_axis(read: schema.ModelT) -> None:
    graph = read.subgraphs[0]
    codes = {getattr(schema.BuiltinOperator, name): place for name, place in (("CONV_2D", 2), ("TRANSPOSE_CONV", 3))}
    places = [(op.inputs, codes.get(read.operatorCodes[op.opcodeIndex].builtinCode)) for op in graph.operators]
    shapes = [graph.tensors[inputs[place]].shape for inputs, place in places if place is not None]
    assert len(shapes) == 4
    assert all(len(shape) == 1 for shape in shapes)


def test_versions_and_old_codes(read: schema.ModelT) -> None:
    codes = {code.builtinCode: code for code in read.operatorCodes}
    assert codes[schema.BuiltinOperator.TRANSPOSE_CONV].version == 4  # bias and fused ReLU
    assert codes[schema.BuiltinOperator.CONV_2D].version == 1
    assert all(code.deprecatedBuiltinCode == code.builtinCode for code in read.operatorCodes)
    gelu = schema.ModelT.InitFromPackedBuf(emit_bytes(model(node("Gelu"))))
    assert [(c.builtinCode, c.deprecatedBuiltinCode) for c in gelu.operatorCodes] == [(150, 127)]


def test_equal_constants_are_stored_once() -> None:
    twice = floats(8, 8, 3, 3)
    once = len(emit_bytes(model(node("Conv", "image", twice, pads=[1] * 4))))
    both = emit_bytes(
        model(node("Conv", "image", twice, pads=[1] * 4, out="a"), node("Conv", "a", twice, pads=[1] * 4))
    )
    assert len(both) < once + twice.nbytes / 2


def test_the_same_graph_gives_the_same_bytes_and_is_left_alone(data: bytes) -> None:
    graph = small_graph()
    before = hub.macs(graph), len(graph.graph), sorted(graph.graph.initializers)
    for precision in TARGETS["tflite"].precision_names:
        assert emit_bytes(graph, precision, LABELS) == emit_bytes(graph, precision, LABELS)
    assert emit_bytes(small_graph(), labels=LABELS) == data
    assert (hub.macs(graph), len(graph.graph), sorted(graph.graph.initializers)) == before
