import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.cli.calls import call


def test_convert_an_onnx_file(model: Path, tmp_path: Path) -> None:
    converted = json.loads(
        call("convert", model, "-t", "tflite", "-p", "fp16", "-o", tmp_path, "--size", "32x48", "--json").stdout
    )
    assert (tmp_path / "tflite-fp16-32x48.tflite").is_file()
    assert converted["artifacts"][0]["psnr"] > 50


def test_guided_output_computes_on_a_smaller_picture(model: Path, tmp_path: Path) -> None:
    large = ["convert", model, "-t", "onnx", "-p", "fp32", "-o", tmp_path, "--size", "128x192", "--json"]
    (made,) = json.loads(call(*large, "--guided", 4).stdout)["artifacts"]
    assert made["psnr"] > 100
    assert (tmp_path / "onnx-fp32-128x192.onnx").is_file()
    refused = call(*large, "--strokes", 0.5, code=2)
    assert "add guided" in refused.output


def test_targets_and_precisions_may_be_lists(model: Path, tmp_path: Path) -> None:
    call("convert", model, "-t", "onnx,tflite", "-p", "fp16,fp32", "-o", tmp_path, "--size", "32x48")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{target}-{precision}-32x48.{target}" for target in ("onnx", "tflite") for precision in ("fp32", "fp16")
    }


@pytest.fixture()
def attention(tmp_path: Path) -> Path:
    """A generator with an operator that TFLite and Core ML do not have."""
    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 32, 48))
    stylized = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3, 32, 48))
    nodes = [helper.make_node("Det", ["x4"], ["d"], name="odd"), helper.make_node("Mul", ["x", "d1"], ["y"])]
    nodes = [
        helper.make_node("AveragePool", ["x"], ["x4"], kernel_shape=[8, 12], strides=[8, 12]),
        nodes[0],
        helper.make_node("Sigmoid", ["d"], ["d0"]),
        helper.make_node("Unsqueeze", ["d0", "axes"], ["d1"]),
        nodes[1],
    ]
    graph = helper.make_graph(nodes, "odd", [picture], [stylized], [numpy_helper.from_array(np.array([2, 3]), "axes")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "odd.onnx")
    return tmp_path / "odd.onnx"


def test_a_target_that_refuses_does_not_take_the_others_with_it(attention: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["convert", attention, "-t", "onnx,tflite", "-p", "fp32", "-o", out, "--size", "32x48"]
    said = call(*asked, code=1, columns=200)
    assert [path.name for path in out.iterdir()] == ["onnx-fp32-32x48.onnx"]
    assert "failed: tflite-fp32-32x48: 1 operator cannot be converted" in said.stdout
    assert "1 of 2 files in" in said.stdout
    document = json.loads(call(*asked, "--json", code=1).stdout)
    assert [artifact["id"] for artifact in document["artifacts"]] == ["onnx-fp32-32x48"]
    (failed,) = document["failed"]
    assert failed["id"] == "tflite-fp32-32x48" and "tflite: Det 'odd'" in failed["reason"] and failed["do"]


def test_where_every_target_refuses_nothing_is_written(attention: Path, tmp_path: Path) -> None:
    said = call("convert", attention, "-t", "tflite,coreml", "-o", tmp_path / "out", "--size", "32x48", code=2)
    assert "tflite: Det 'odd'" in said.stderr and "coreml: Det 'odd'" in said.stderr
    assert not (tmp_path / "out").exists()


def test_convert_refuses() -> None:
    assert "no target" in call("convert", "builtin:cartoon", "-t", "tensorrt", code=2).stderr
    assert "no precision" in call("convert", "builtin:cartoon", "-p", "int3", code=2).stderr
