"""Hostile ``.onnx`` files: an error that says what is wrong, soon, and with no file outside the folder read."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pocketlens.converters import graph as hub
from pocketlens.converters import onnx_file
from pocketlens.converters.constants import constant
from pocketlens.converters.onnx_file import read_onnx
from pocketlens.converters.prepare import prepare
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError

SHAPE = [1, 3, 16, 16]


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    """No hang: five seconds of this process' own time, whatever else the machine does. A minute of the clock ends a
    deadlock.
    """
    start, clock = time.process_time(), time.monotonic()
    yield
    assert time.process_time() - start < 5
    assert time.monotonic() - clock < 60


def _picture(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE)


def _model(nodes: list[onnx.NodeProto], tensors: list[onnx.TensorProto] = [], **more: object) -> onnx.ModelProto:  # noqa: B006
    graph = helper.make_graph(nodes, "g", [_picture("x")], [_picture("y")], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10, **more)


def _scaled(tensor: onnx.TensorProto) -> onnx.ModelProto:
    return _model([helper.make_node("Mul", ["x", tensor.name], ["y"])], [tensor])


def _refused(folder: Path, model: onnx.ModelProto | bytes, match: str) -> None:
    path = folder / "m.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with pytest.raises(InputError, match=match):
        prepare(read_onnx(path), 16, 16, Ranges())


@pytest.mark.parametrize("dims", [[2**40], [2**20, 2**20, 2**20], [2**62, 4], [-1], [5]])
@pytest.mark.parametrize("place", ["initializer", "constant"])
def test_claimed_sizes_that_the_file_does_not_hold(tmp_path: Path, dims: list[int], place: str) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"1234")
    if place == "initializer":
        model = _scaled(tensor)
    else:
        nodes = [helper.make_node("Constant", [], ["w"]), helper.make_node("Mul", ["x", "w"], ["y"])]
        nodes[0].attribute.append(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=tensor))
        model = _model(nodes)
    _refused(tmp_path, model, "'w'.*shape")
    tensor.ClearField("raw_data")
    tensor.float_data.append(1.0)
    _refused(tmp_path, _scaled(tensor), "'w'.*shape")


def test_cyclic_graphs(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    _refused(tmp_path, _model([*nodes, helper.make_node("Relu", ["b"], ["y"])]), "sorted")
    _refused(tmp_path, _model([helper.make_node("Add", ["x", "y"], ["y"])]), "not a readable")


def test_too_many_nodes(tmp_path: Path) -> None:
    names = ["x", *(f"v{i}" for i in range(99_999)), "y"]
    nodes = [helper.make_node("Relu", [a], [b]) for a, b in pairwise(names)]
    _refused(tmp_path, _model(nodes), "100,000 nodes")


def test_too_many_fields(tmp_path: Path) -> None:
    _refused(tmp_path, b"\x3a\x80\x80\x80\x02" + b"\x0a\x00" * (1 << 21), "fields")


def _nested(depth: int) -> onnx.GraphProto:
    inner = [helper.make_node("Relu", ["x"], ["r"])]
    if depth:
        inner = [helper.make_node("If", ["c"], ["r"], then_branch=_nested(depth - 1), else_branch=_nested(0))]
    return helper.make_graph(inner, "g", [], [_picture("r")])


def test_deeply_nested_subgraphs(tmp_path: Path) -> None:
    # Deep enough for Python's own stack is deeper than protobuf parses; both are refused.
    for depth, match in ((20, "nest"), (200, "nest")):
        graph = _nested(min(depth, 20))
        condition = numpy_helper.from_array(np.array(True), "c")
        model = _model([helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=_nested(0))], [condition])
        data = model.SerializeToString()
        if depth == 200:
            data = b""
            for _ in range(depth):  # graph → node → attribute → graph
                for key in (0x32, 0x2A, 0x0A):
                    data = bytes([key]) + _varint(len(data)) + data
            data = bytes([0x3A]) + _varint(len(data)) + data
        _refused(tmp_path, data, match)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_control_flow_is_refused_by_name(tmp_path: Path) -> None:
    total = helper.make_node("ReduceMax", ["x"], ["t"], keepdims=0)
    condition = helper.make_node("Cast", ["t"], ["c"], to=TensorProto.BOOL)
    branch = helper.make_node("If", ["c"], ["y"], name="choose", then_branch=_nested(0), else_branch=_nested(0))
    _refused(tmp_path, _model([total, condition, branch]), "If 'choose'")


def _functions(calls: dict[str, list[str]]) -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)]
    made = []
    for name, inner in calls.items():
        names = ["x", *(f"v{i}" for i in range(len(inner) - 1)), "y"]
        nodes = [
            helper.make_node(op, [a], [b], domain="" if op == "Relu" else "f")
            for op, a, b in zip(inner, names, names[1:], strict=False)
        ]
        made.append(helper.make_function("f", name, ["x"], ["y"], nodes, opsets))
    model = _model([helper.make_node(next(iter(calls)), ["x"], ["y"], domain="f")], functions=made)
    model.opset_import.append(helper.make_opsetid("f", 1))
    return model


def test_functions_that_unfold_without_end(tmp_path: Path) -> None:
    doubling = {f"f{i}": [f"f{i + 1}"] * 2 for i in range(40)}
    _refused(tmp_path, _functions({**doubling, "f40": ["Relu"]}), "nodes")
    _refused(tmp_path, _functions({"f0": ["f1"], "f1": ["f0"]}), "without end")
    chain = {f"f{i}": [f"f{i + 1}"] for i in range(3000)}
    _refused(tmp_path, _functions({**chain, "f3000": ["Relu"]}), "without end")


def test_functions_are_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(_functions({"f0": ["f1", "f1"], "f1": ["Relu"]}).SerializeToString())
    hub.check(prepare(read_onnx(path), 16, 16, Ranges()))


def _external(location: str, **more: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 1, 1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **more}.items():
        tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=value))
    return _scaled(tensor)


def test_external_data_beside_the_model(tmp_path: Path) -> None:
    values = np.arange(1, 9, dtype=np.float32)
    (tmp_path / "weights").mkdir()
    values.tofile(tmp_path / "weights/w.bin")
    path = tmp_path / "m.onnx"
    path.write_bytes(_external("weights/w.bin", offset="4", length="12").SerializeToString())
    (weight,) = read_onnx(path).graph.initializers.values()
    found = constant(weight)
    assert found is not None
    np.testing.assert_array_equal(found.reshape(-1), values[1:4])


@pytest.mark.parametrize(
    ("location", "more", "match"),
    [
        ("../secret", {}, "own folder"),
        ("a/../../secret", {}, "own folder"),
        ("{root}/secret", {}, "own folder"),
        ("..\\secret", {}, "own folder"),
        ("C:secret", {}, "own folder"),
        ("", {}, "own folder"),
        ("link", {}, "link"),
        ("folder/secret", {}, "link"),
        ("absent", {}, "not there"),
        ("nul\0byte", {}, "not there"),
        ("pipe", {}, "not a file"),
        (".", {}, "own folder|not a file"),
        ("short", {}, "reads 12 bytes"),
        ("data", {"offset": "-4"}, "place"),
        ("data", {"offset": "1" * 19}, "reads"),
        ("data", {"offset": "9" * 5000}, "place"),
        ("data", {"offset": "0x10"}, "place"),
        ("data", {"length": "4000"}, "4,000 given"),
    ],
)  # fmt: skip
def test_external_data_that_is_not_taken(tmp_path: Path, location: str, more: dict[str, str], match: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(64))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "short").write_bytes(bytes(4))
    (folder / "data").write_bytes(bytes(64))
    os.mkfifo(folder / "pipe")
    _refused(folder, _external(location.format(root=tmp_path), **more), match)


def test_external_data_larger_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").write_bytes(bytes(12_000))
    model = _external("data")
    first = model.graph.initializer[0]
    first.dims[:] = [3000]
    for index in range(1, 10):  # ten tensors of 12,000 bytes, all out of the same file
        model.graph.initializer.append(first)
        model.graph.initializer[index].name = f"w{index}"
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 100_000)
    _refused(tmp_path, model, "more than 100,000 bytes")


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.onnx", Path("/dev/zero")):
        with pytest.raises(InputError):
            read_onnx(path)


BOMBS = {
    "Expand": [helper.make_node("Expand", ["one", "huge"], ["w"]), helper.make_node("Mul", ["x", "w"], ["y"])],
    "ConstantOfShape": [
        helper.make_node("ConstantOfShape", ["huge"], ["w"]),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ],
    "Tile": [helper.make_node("Tile", ["flat", "huge"], ["w"]), helper.make_node("Mul", ["x", "w"], ["y"])],
    "Range": [
        helper.make_node("Range", ["zero", "end", "step"], ["r"]),
        helper.make_node("ReduceSum", ["r"], ["s"]),
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "f"], ["y"]),
    ],
    "Pad": [helper.make_node("Pad", ["x", "pads"], ["w"]), helper.make_node("GlobalAveragePool", ["w"], ["y"])],
    "Resize": [
        helper.make_node("Resize", ["flat", "", "scales"], ["w"]), helper.make_node("ReduceMax", ["w"], ["r"]),
        helper.make_node("Mul", ["x", "r"], ["y"]),
    ],
    "broadcast": [
        helper.make_node("Add", ["long", "tall"], ["w"]), helper.make_node("ReduceMax", ["w"], ["r"]),
        helper.make_node("Mul", ["x", "r"], ["y"]),
    ],
    "MatMul": [
        helper.make_node("MatMul", ["tall", "long"], ["w"]), helper.make_node("ReduceMax", ["w"], ["r"]),
        helper.make_node("Mul", ["x", "r"], ["y"]),
    ],
    "ConvTranspose": [
        helper.make_node("ConvTranspose", ["x", "k"], ["w"], strides=[100_000, 100_000]),
        helper.make_node("ReduceMax", ["w"], ["r"]),
        helper.make_node("Mul", ["x", "r"], ["y"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_small_constants_that_compute_huge_ones(tmp_path: Path, bomb: str) -> None:
    arrays = {
        "one": np.float32(1),
        "flat": np.ones((1, 1, 1, 1), np.float32),
        "huge": np.array([1, 3, 10**5, 10**6], np.int64),
        "zero": np.int64(0),
        "end": np.int64(10**12),
        "step": np.int64(1),
        "pads": np.array([0, 0, 0, 0, 0, 0, 10**6, 10**6], np.int64),
        "scales": np.array([1, 1, 10**6, 10**6], np.float32),
        "long": np.ones((1, 10**6), np.float32),
        "tall": np.ones((10**6, 1), np.float32),
        "k": np.ones((3, 3, 1, 1), np.float32),
    }
    used = {name for node in BOMBS[bomb] for name in node.input}
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name in used]
    _refused(tmp_path, _model(BOMBS[bomb], tensors), "shape|fit|leaves")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_changed_bytes_crash_nothing(tmp_path: Path, data: st.DataObject) -> None:
    tensor = numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["a"], ["y"])]
    good = bytearray(_model(nodes, [tensor]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "m.onnx"
    path.write_bytes(bytes(good))
    with suppress(InputError):
        prepare(read_onnx(path), 16, 16, Ranges())


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "opset"),
    [
        ("Range", ["zero", "huge", "one"], {}, 20),
        ("Range", ["zero", "huge", "one"], {}, 11),
        ("ConstantOfShape", ["large_shape"], {}, 20),
        ("Expand", ["numbers", "large_shape"], {}, 20),
        ("Tile", ["numbers", "many"], {}, 20),
        ("OneHot", ["places", "huge", "pair"], {}, 20),
        ("Pad", ["numbers", "paddings"], {}, 20),
        ("Resize", ["picture", "", "", "resized"], {"mode": "cubic"}, 20),
        ("TfIdfVectorizer", ["numbers"], {"max_gram_length": 10**6, "max_skip_count": 10**6, "min_gram_length": 1,
            "mode": "TF", "ngram_counts": [0], "ngram_indexes": [0], "pool_int64s": [1]}, 20),
        ("TfIdfVectorizer", ["numbers"], {"max_gram_length": 10**9, "max_skip_count": 10**9, "min_gram_length": 1,
            "mode": "TF", "ngram_counts": [0], "ngram_indexes": [0], "pool_int64s": [1]}, 20),
        ("Einsum", ["numbers"] * 4, {"equation": "a,b,c,d->abcd"}, 20),
        ("Conv", ["picture", "kernel"], {"pads": [50_000] * 4}, 20),
        ("MaxPool", ["picture"], {"kernel_shape": [999, 999], "pads": [990] * 4}, 20),
        ("HannWindow", ["huge"], {}, 20),
    ],
)  # fmt: skip
def test_constants_that_a_few_bytes_blow_up(
    tmp_path: Path, operator: str, inputs: list[str], attributes: dict[str, object], opset: int
) -> None:
    """Refused, or left as a node, within the five seconds and without the memory that the value would take."""
    arrays = {
        "zero": np.int64(0), "one": np.int64(1), "huge": np.int64(10**11), "many": np.array([10**8]),
        "large_shape": np.array([10**5, 10**6]), "numbers": np.ones(10**5, np.float32), "places": np.zeros(1000, int),
        "pair": np.ones(2, np.float32), "paddings": np.array([10**9, 10**9]), "resized": np.array([1, 1, 4000, 4000]),
        "picture": np.ones((1, 1, 8, 8), np.float32), "kernel": np.ones((1, 1, 5, 5), np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node(operator, inputs, ["t"], **attributes),
        helper.make_node("Cast", ["t"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["f"], ["m"], keepdims=0),
        helper.make_node("Mul", ["x", "m"], ["y"]),
    ]
    model = _model(nodes, [numpy_helper.from_array(np.asarray(arrays[name]), name) for name in set(inputs) - {""}])
    model.opset_import[0].version = opset
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    before = _peak_mb()
    with suppress(InputError):
        prepare(read_onnx(path), 16, 16, Ranges())
    assert _peak_mb() - before < 600


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def test_concats_that_double_a_constant(tmp_path: Path) -> None:
    nodes = [helper.make_node("Concat", [f"v{i}"] * 2, [f"v{i + 1}"], axis=0) for i in range(40)]
    nodes += [helper.make_node("ReduceMax", ["v40"], ["m"], keepdims=0), helper.make_node("Mul", ["x", "m"], ["y"])]
    _refused(tmp_path, _model(nodes, [numpy_helper.from_array(np.ones(2, np.float32), "v0")]), "Concat")


def test_concats_that_double_a_list_of_sizes(tmp_path: Path) -> None:
    """Shape inference follows sizes through such lists, number by number: 30 of these took 12 GB."""
    nodes = [helper.make_node("Concat", [f"v{i}"] * 2, [f"v{i + 1}"], axis=0) for i in range(28)]
    nodes += [
        helper.make_node("ReduceMax", ["v28"], ["m"], keepdims=0),
        helper.make_node("Cast", ["m"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "f"], ["y"]),
    ]
    _refused(tmp_path, _model(nodes, [numpy_helper.from_array(np.array([1, 2]), "v0")]), "numbers of constants alone")


def test_a_constant_that_nobody_folds(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Expand", ["number", "shape"], ["large"]),
        helper.make_node("ReduceMax", ["large"], ["m"], keepdims=0),
        helper.make_node("Mul", ["x", "m"], ["y"]),
    ]
    arrays = {"shape": np.array([30000, 30000]), "number": np.float32(1)}
    model = _model(nodes, [numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()])
    _refused(tmp_path, model, "900,000,000 numbers of constants alone")


def test_numbers_that_every_layer_spreads_over_a_large_picture(tmp_path: Path) -> None:
    """As ``weight.expand_as(x)`` is exported: honest, and more numbers together than constants may be."""
    nodes, before = [helper.make_node("Concat", ["x"] * 40, ["v0"], axis=1)], "v0"
    for i in range(10):
        nodes.append(helper.make_node("Expand", ["number", "shape"], [f"e{i}"]))
        nodes.append(helper.make_node("Mul", [before, f"e{i}"], [f"v{i + 1}"]))
        before = f"v{i + 1}"
    nodes.append(helper.make_node("Slice", [before, "begin", "end", "axis"], ["y"]))
    arrays = {
        "number": np.float32([[[[1]]]]), "shape": np.array([1, 120, 720, 1280]),
        "begin": np.array([0]), "end": np.array([3]), "axis": np.array([1]),
    }  # fmt: skip
    model = _model(nodes, [numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()])
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[2].dim_value, value.type.tensor_type.shape.dim[3].dim_value = 720, 1280
    path = tmp_path / "spread.onnx"
    path.write_bytes(model.SerializeToString())
    graph = prepare(read_onnx(path), 720, 1280, Ranges())
    assert "Expand" not in {node.op_type for node in graph.graph}


def test_a_split_that_claims_more_pieces_than_it_gives(tmp_path: Path) -> None:
    for claimed, match in ((2**31, "num_outputs"), (10**6, "num_outputs 1000000")):
        _refused(tmp_path, _model([helper.make_node("Split", ["x"], ["y"], num_outputs=claimed)]), match)


def test_a_sequence_of_too_many_pieces_stays_whole(tmp_path: Path) -> None:
    arrays = {"shape": np.array([2**27]), "one": np.int64(1), "number": np.float32(1)}
    nodes = [
        helper.make_node("Expand", ["number", "shape"], ["long"]),
        helper.make_node("SplitToSequence", ["long", "one"], ["pieces"]),
        helper.make_node("SequenceAt", ["pieces", "one"], ["piece"]),
        helper.make_node("Mul", ["x", "piece"], ["y"]),
    ]
    model = _model(nodes, [numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()])
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    kept = prepare(read_onnx(tmp_path / "m.onnx"), 16, 16, Ranges())
    assert "SplitToSequence" in [node.op_type for node in kept.graph]  # no target has it: it is refused by name there


def test_more_nodes_and_inputs_than_a_generator_has(tmp_path: Path) -> None:
    wide = [helper.make_node("Relu", ["x"], [f"r{i}"]) for i in range(9000)]
    wide.append(helper.make_node("Sum", [f"r{i}" for i in range(9000)], ["y"]))
    _refused(tmp_path, _model(wide), "9,001 nodes")
    _refused(tmp_path, _model([helper.make_node("Sum", ["x"] * 200_000, ["y"])]), "inputs and outputs")


@pytest.mark.parametrize("kind", ["chain", "constants", "fan", "slices"])
def test_time_grows_with_the_graph_and_not_with_its_square(tmp_path: Path, kind: str) -> None:
    def seconds(count: int) -> float:
        names = ["x" if kind != "constants" else "k", *(f"v{i}" for i in range(count - 1))]
        if kind == "fan":
            nodes = [helper.make_node("Relu", ["x"], [name]) for name in names[1:]]
            nodes.append(helper.make_node("Sum", names[1:], ["y"]))
        elif kind == "slices":
            nodes = [helper.make_node("Slice", ["x", "from", "to", "last"], [name]) for name in names[1:]]
            nodes.append(helper.make_node("Sum", names[1:], ["y"]))
        else:
            nodes = [helper.make_node("Add", [name, "k"], [after]) for name, after in pairwise([*names, "z"])]
            nodes.append(helper.make_node("Mul", ["x", "z"], ["y"]))
        arrays = {"k": np.float32(1), "from": np.array([0]), "to": np.array([16]), "last": np.array([3])}
        used = {name for node in nodes for name in node.input}
        model = _model(nodes, [numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items() if n in used])
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        start = time.process_time()
        prepare(read_onnx(tmp_path / "m.onnx"), 16, 16, Ranges())
        return time.process_time() - start

    def least(count: int) -> float:
        """Of two: a collection of garbage in a process of many tests takes longer than what is measured."""
        return min(seconds(count) for _ in range(2))

    seconds(20)
    assert least(400) < 8 * least(100) + 0.5


def test_long_texts_are_dropped_or_refused(tmp_path: Path) -> None:
    model = _model([helper.make_node("Relu", ["x"], ["y"], doc_string="d" * 10**6)])
    model.metadata_props.add(key="note", value="n" * 10**7)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    kept = prepare(read_onnx(tmp_path / "m.onnx"), 16, 16, Ranges())
    assert not kept.metadata_props and all(not node.doc_string for node in kept.graph)
    _refused(tmp_path, _model([helper.make_node("Relu", ["x"], ["y"], name="n" * 10**6)]), "1,000,000 characters")


def test_an_equation_without_end(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Einsum", ["image"], ["stylized"], equation="..." * 5000 + "->")
    _refused(tmp_path, _model([node]), "equation of 15,002 characters")


def test_sparse_weights_are_refused_in_words(tmp_path: Path) -> None:
    model = _scaled(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    values, places = (numpy_helper.from_array(np.ones(1, kind), "w") for kind in (np.float32, np.int64))
    model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=values, indices=places, dims=[10**6, 10**6]))
    _refused(tmp_path, model, "sparse")


@pytest.mark.parametrize("owner", ["If", "Loop"])
@pytest.mark.parametrize("bomb", ["Range", "Concat"])
def test_constants_that_explode_inside_a_body(tmp_path: Path, owner: str, bomb: str) -> None:
    """Not one of them is computed, in a branch that a constant chooses as little as in a loop."""
    if bomb == "Range":
        inner = [helper.make_node("Range", ["zero", "end", "step"], ["d"])]
    else:
        inner = [helper.make_node("Concat", [f"d{i}" if i else "step", f"d{i}" if i else "step"],
                                  [f"d{i + 1}" if i < 39 else "d"], axis=0) for i in range(40)]  # fmt: skip
    inner += [
        helper.make_node("ReduceSum", ["d"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
    ]
    total = helper.make_tensor_value_info("f", TensorProto.FLOAT, [])
    if owner == "If":
        body = helper.make_graph(inner, "b", [], [total])
        node = helper.make_node("If", ["yes"], ["k"], then_branch=body, else_branch=body)
    else:
        turn = helper.make_tensor_value_info("i", TensorProto.INT64, [])
        on, carried = (helper.make_tensor_value_info(n, TensorProto.BOOL, []) for n in ("on", "still"))
        kept = helper.make_tensor_value_info("a", TensorProto.FLOAT, [])
        inner += [helper.make_node("Identity", ["on"], ["still"])]
        body = helper.make_graph(inner, "b", [turn, on, kept], [carried, total])
        node = helper.make_node("Loop", ["end", "yes", "first"], ["k"], body=body)
    numbers = {"zero": 0, "end": 10**11, "step": 1 if bomb == "Range" else [1]}
    constants = [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in numbers.items()]
    constants += [numpy_helper.from_array(np.array(True), "yes"), numpy_helper.from_array(np.float32(1), "first")]
    before = _peak_mb()
    _refused(tmp_path, _model([node, helper.make_node("Mul", ["x", "k"], ["y"])], constants), f"shape|{owner}")
    assert _peak_mb() - before < 500
