"""What the bytes look like to somebody else's reader."""

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from pocketlens.converters import graph as hub
from pocketlens.converters import tflite
from pocketlens.converters.emitter import Labels
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.targets import TARGETS
from tests.converters.tflite.bench import emitted, floats, model, node
from tests.generators import small_graph

LABELS = Labels("wave", "1.2", "A wave.", "MIT", "somebody")


@pytest.fixture(scope="module")
def data() -> bytes:
    return emitted(small_graph(), labels=LABELS)


@pytest.fixture(scope="module")
def read(data: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(data)


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
    gelu = schema.ModelT.InitFromPackedBuf(emitted(model(node("Gelu"))))
    assert [(c.builtinCode, c.deprecatedBuiltinCode) for c in gelu.operatorCodes] == [(150, 127)]


def test_equal_constants_are_stored_once() -> None:
    twice = floats(8, 8, 3, 3)
    once = len(emitted(model(node("Conv", "image", twice, pads=[1] * 4))))
    both = emitted(model(node("Conv", "image", twice, pads=[1] * 4, out="a"), node("Conv", "a", twice, pads=[1] * 4)))
    assert len(both) < once + twice.nbytes / 2


def test_what_the_file_says_of_itself(read: schema.ModelT) -> None:
    assert read.description == b"wave 1.2: A wave. (license MIT, author somebody)"
    (entry,) = read.metadata
    assert entry.name == b"TFLITE_METADATA"
    packed = bytes(read.buffers[entry.buffer].data)
    assert packed[4:8] == b"M001"
    root = flatbuffers.table.Table(packed, flatbuffers.encode.Get(flatbuffers.packer.uoffset, packed, 0))
    texts = {field: root.String(root.Pos + root.Offset(4 + 2 * field)) for field in (0, 1, 2, 4, 5, 7)}
    assert texts == {0: b"wave", 1: b"A wave.", 2: b"1.2", 4: b"somebody", 5: b"MIT", 7: b"1.0.0"}


def test_the_same_graph_gives_the_same_bytes_and_is_left_alone(data: bytes) -> None:
    graph = small_graph()
    before = hub.macs(graph), len(graph.graph), sorted(graph.graph.initializers)
    for precision in TARGETS["tflite"].precision_names:
        assert emitted(graph, precision, LABELS) == emitted(graph, precision, LABELS)
    assert emitted(small_graph(), labels=LABELS) == data
    assert (hub.macs(graph), len(graph.graph), sorted(graph.graph.initializers)) == before


def test_half_the_weights_half_the_bytes() -> None:
    built = model(node("Conv", "image", floats(64, 8, 9, 9)))
    assert len(emitted(built, "fp16")) < 0.55 * len(emitted(built))


def test_refused_before_anything_is_written(tmp_path: Path) -> None:
    built = model(node("LRN", size=3, out="a"), node("Resize", "a", "", np.float32([1, 1, 2, 2]), mode="cubic"))
    assert [(r.operator, r.node) for r in tflite.refusals(built)] == [("LRN", "lrn_0"), ("Resize", "resize_1")]
    with pytest.raises(UnsupportedError, match="lrn_0"):
        tflite.emit(built, "fp32", LABELS, tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())


def test_an_unknown_precision(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="int3"):
        tflite.emit(small_graph(), "int3", LABELS, tmp_path / "x.tflite")
