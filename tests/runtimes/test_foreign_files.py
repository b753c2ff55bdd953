"""Files of a runtime's own kind that are no artifacts of ours: an error that says what was found and what is
expected.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pocketlens.errors import InputError
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture

PICTURE = [1, 3, 16, 16]


def _save(path: Path, nodes: list[onnx.NodeProto], shapes: dict[str, list[int | str]], outputs: str) -> Path:
    ends = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    inputs = [end for name, end in ends.items() if name not in outputs]
    graph = helper.make_graph(nodes, "g", inputs, [ends[name] for name in outputs])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def _relu(path: Path, shape: list[int | str]) -> Path:
    return _save(path, [helper.make_node("Relu", ["x"], ["y"])], {"x": shape, "y": shape}, "y")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "shape",
    [[1, 3, "height", "width"], [1, 16, 16, 16], [2, 3, 16, 16], [3, 16, 16], [1, 3, 0, 16], []],
)
def test_what_takes_no_picture_of_a_fixed_size(tmp_path: Path, runtime: str, shape: list[int | str]) -> None:
    with pytest.raises(InputError, match=r"expected float32 \[1, 3, height, width\]"):
        open_artifact(_relu(tmp_path / "m.onnx", shape), runtime)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("shape", [["n", 3, 16, 24], ["n", 3, "height", "width"], [1, 16, 24, 3], [1, 16, "w", 3]])
def test_open_axes_and_channels_last(tmp_path: Path, runtime: str, shape: list[int | str]) -> None:
    with open_artifact(_relu(tmp_path / "m.onnx", shape), runtime, size=(16, 24)) as session:
        assert session.size == (16, 24)
        assert np.array_equal(session(picture(16, 24)), picture(16, 24))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_several_inputs_and_outputs(tmp_path: Path, runtime: str) -> None:
    nodes = [helper.make_node("Add", ["x", "z"], ["y"]), helper.make_node("Neg", ["x"], ["w"])]
    path = _save(tmp_path / "a.onnx", nodes, {"x": PICTURE, "y": PICTURE, "z": [1], "w": PICTURE}, "yw")
    image = picture(16, 16)
    with open_artifact(path, runtime) as session:
        assert [port.name for port in session.inputs] == ["z"]
        more = session(image, inputs={"z": np.array([7.0])})
        assert np.array_equal(more, np.minimum(image.astype(int) + 7, 255))
        for wrong in (None, {}, {"y": np.zeros(1)}, {"z": np.zeros(2)}, {"z": np.array(["a"])}):
            with pytest.raises(InputError, match="'z'"):
                session(image, inputs=wrong)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.UINT8])
def test_number_types(tmp_path: Path, runtime: str, kind: int) -> None:
    ends = [helper.make_tensor_value_info(name, kind, PICTURE) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Max", ["x"], ["y"])], "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "m.onnx")
    with open_artifact(tmp_path / "m.onnx", runtime) as session:
        assert np.array_equal(session(picture(16, 16)), picture(16, 16))
        assert np.array_equal(session.floats(picture(16, 16)), picture(16, 16).astype(np.float32))


def test_another_range_of_values(tmp_path: Path) -> None:
    with open_artifact(_relu(tmp_path / "m.onnx", PICTURE), values=(-1, 1)) as session:
        assert np.array_equal(session(picture(16, 16)), np.maximum(picture(16, 16), 128))


def test_a_file_that_is_newer_than_the_runtime(tmp_path: Path) -> None:
    path = _relu(tmp_path / "m.onnx", PICTURE)
    model = onnx.load(path)
    model.ir_version = 99
    onnx.save(model, path)
    with pytest.raises(InputError, match="cannot play") as caught:
        open_artifact(path, "onnxruntime")
    assert "newer than this onnxruntime" in caught.value.do
    model.ir_version, model.opset_import[0].version = 10, 99
    onnx.save(model, path)
    with pytest.raises(InputError, match="opset") as caught:
        open_artifact(path, "onnxruntime")
    assert "newer than this onnxruntime" in caught.value.do


def test_a_converter_that_is_not_ours(shared: Path) -> None:
    path = shared / "data/foreign/magenta_transfer_int8.tflite"
    style = np.random.default_rng(0).normal(0, 0.2, (1, 1, 1, 100)).astype(np.float32)
    image = picture(384, 384)
    with open_artifact(path, threads=2, values=(0, 1)) as session:
        (port,) = session.inputs
        stylized = session(image, inputs={port.name: style})
    from ai_edge_litert.interpreter import Interpreter

    own = Interpreter(model_path=str(path), num_threads=2)
    own.allocate_tensors()
    own.set_tensor(own.get_input_details()[0]["index"], image[None].astype(np.float32) / 255)
    own.set_tensor(own.get_input_details()[1]["index"], style)
    own.invoke()
    expected = np.rint(np.clip(own.get_tensor(own.get_output_details()[0]["index"])[0] * 255, 0, 255))
    assert np.abs(stylized - expected).max() <= 1
    assert stylized.std() > 5


def test_what_fails_only_when_it_plays(tmp_path: Path) -> None:
    # The shape to reshape to comes out of the picture, so that onnxruntime cannot know it before. OpenVINO does not
    # mind.
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
        helper.make_node("Cast", ["m"], ["i"], to=TensorProto.INT64),
        helper.make_node("Unsqueeze", ["i", "zero"], ["shape"]),
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        helper.make_node("Softmax", ["flat"], ["soft"]),
        helper.make_node("Reshape", ["soft", "size"], ["y"]),
    ]
    path = _save(tmp_path / "m.onnx", nodes, {"x": PICTURE, "y": PICTURE}, "y")
    model = onnx.load(path)
    for name, values in (("zero", [0]), ("size", PICTURE)):
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
    onnx.save(model, path)
    with open_artifact(path, "onnxruntime") as session, pytest.raises(InputError, match="cannot play"):
        session(np.full((16, 16, 3), 7, np.uint8))


@pytest.mark.parametrize("content", [b"", b"junk", b"<net", b"<net/>", b"<net><layers/></net>"])
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_what_is_no_model(tmp_path: Path, content: bytes, suffix: str) -> None:
    (tmp_path / f"m{suffix}").write_bytes(content)
    with pytest.raises(InputError):
        open_artifact(tmp_path / f"m{suffix}")


def test_a_file_that_is_compiled_for_a_chip(tmp_path: Path) -> None:
    node = helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", embed_mode=1, ep_cache_context=b"chip")
    path = _save(tmp_path / "m.onnx", [node], {"x": PICTURE, "y": PICTURE}, "y")
    with pytest.raises(InputError, match=r"onnxruntime does not play m\.onnx") as raised:
        open_artifact(path, "onnxruntime")
    assert raised.value.do == "it plays .onnx files, and this one is compiled for a chip"
