"""Files that other tools damaged are mended where only one thing can be meant."""

import itertools
from operator import attrgetter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pocketlens.converters.mend_file import _SIZES, MENDED, mend
from pocketlens.converters.onnx_file import read_onnx
from pocketlens.errors import InputError


def model(order: tuple[int, ...] = (0, 1, 2), scales: type = np.float32) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Resize", ["a", "", "scales"], ["b"], mode="nearest"),
        helper.make_node("Tanh", ["b"], ["y"]),
    ]
    graph = helper.make_graph(
        [nodes[i] for i in order],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 16, 16])],
        [numpy_helper.from_array(np.array([1, 1, 2, 2], scales), "scales")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_nodes_are_sorted(order: tuple[int, ...], tmp_path: Path) -> None:
    onnx.save(model(order), tmp_path / "m.onnx")
    read = read_onnx(tmp_path / "m.onnx")
    assert [node.op_type for node in read.graph] == ["Relu", "Resize", "Tanh"]
    assert bool(read.meta.get(MENDED)) == (order != (0, 1, 2))


@pytest.mark.parametrize("scales", [np.float16, np.float64])
def test_scales_become_float32(scales: type, tmp_path: Path) -> None:
    onnx.save(model(scales=scales), tmp_path / "m.onnx")
    read = read_onnx(tmp_path / "m.onnx")
    assert "scales" in read.meta[MENDED][0]
    (resize,) = (node for node in read.graph if node.op_type == "Resize")
    taken = resize.inputs[2]
    assert taken is not None
    assert taken.const_value is not None
    assert taken.const_value.numpy().dtype == np.float32


def test_sizes_become_int64() -> None:
    damaged = model()
    damaged.graph.initializer.append(numpy_helper.from_array(np.array([1, 3, 16, 16], np.int32), "sizes"))
    resize = damaged.graph.node[1]
    del resize.input[:]
    resize.input.extend(["a", "", "", "sizes"])
    assert "were int32" in mend(damaged)[0]
    stored = {tensor.name: tensor for tensor in damaged.graph.initializer}
    assert numpy_helper.to_array(stored[resize.input[3]]).dtype == np.int64
    onnx.checker.check_model(damaged, full_check=True)


def test_every_reduction_has_its_axes_mended() -> None:
    reductions = {name for name in map(attrgetter("name"), onnx.defs.get_all_schemas()) if name.startswith("Reduce")}
    assert reductions <= set(_SIZES)


def test_a_good_file_is_left_alone() -> None:
    before = model()
    assert mend(before) == []
    assert before == model()


def test_a_circle_is_refused(tmp_path: Path) -> None:
    circle = model()
    circle.graph.node[0].input[0] = "b"
    onnx.save(circle, tmp_path / "m.onnx")
    with pytest.raises(InputError, match="not a readable ONNX model"):
        read_onnx(tmp_path / "m.onnx")
