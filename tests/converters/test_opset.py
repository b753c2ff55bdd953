"""Files of operator sets 7 to 9: weights that are inputs as well, and operators that were experiments."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from pocketlens import images
from pocketlens.converters import graph as hub
from pocketlens.converters.onnx_file import read_onnx
from pocketlens.converters.opset import convert_opset
from pocketlens.errors import InputError
from pocketlens.pipeline.commands.convert import convert
from tests.generators import picture

HEIGHT, WIDTH = 24, 32
EXPERIMENTS = {
    "ImageScaler": helper.make_node("ImageScaler", ["a"], ["b"], scale=0.5, bias=[3.0, -4.0, 5.0]),
    "Affine": helper.make_node("Affine", ["a"], ["b"], alpha=2.0, beta=-7.0),
    "Crop": helper.make_node("Crop", ["a"], ["b"], border=[1, 2, 3, 4]),
    "Crop without borders": helper.make_node("Crop", ["a"], ["b"], border=[0, 0, 0, 0]),
    "Crop to a size": helper.make_node("Crop", ["a"], ["b"], border=[2, 1, 0, 0], scale=[10, 12]),
}


def old_file(middle: list[onnx.NodeProto], path: Path, opset: int) -> Path:
    """A convolution, some nodes from ``a`` to ``b`` and a Relu, in IR version 3, where weights are inputs as well."""
    weights = np.random.default_rng(0).normal(0, 0.2, (3, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        *middle,
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    image, weight, stylized = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, HEIGHT, WIDTH]), ("w", weights.shape), ("y", [1, 3, "h", "w"]))
    )
    graph = helper.make_graph(nodes, "old", [image, weight], [stylized], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)
    path.write_bytes(model.SerializeToString())
    return path


def play(model: bytes, pixels: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: pixels})[0])


@pytest.mark.parametrize("opset", [7, 8, 9])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_was_an_experiment_computes_the_same(
    name: str, opset: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = old_file([EXPERIMENTS[name]], tmp_path / "old.onnx", opset)
    converted = convert_opset(read_onnx(path))
    assert capfd.readouterr() == ("", "")  # onnx has words of its own for such operators
    assert {node.op_type for node in converted.graph}.isdisjoint({"ImageScaler", "Affine", "Crop"})
    assert converted.opset_imports[""] == hub.OPSET
    pixels = picture(HEIGHT, WIDTH).transpose(2, 0, 1)[None].astype(np.float32)
    expected = play(path.read_bytes(), pixels)
    found = play(ir.to_proto(converted).SerializeToString(), pixels)
    assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize("opset", [7, 8, 9])
def test_weights_may_be_inputs(opset: int, tmp_path: Path) -> None:
    middle = [helper.make_node("Affine", ["a"], ["b"], alpha=1.0, beta=20.0)]
    path = old_file(middle, tmp_path / "old.onnx", opset)
    artifacts = convert(str(path), [], ["fp32"], tmp_path / "out", size=(HEIGHT, WIDTH))
    assert {artifact.spec.target for artifact in artifacts} == {"onnx", "openvino", "tflite", "coreml"}
    assert min(artifact.verification.worst.psnr for artifact in artifacts) > 100


def test_old_weights_need_not_be_inputs_and_what_nobody_reads_need_not_be_known(tmp_path: Path) -> None:
    """onnxruntime refuses both: a weight of IR version 3 that is no input, and an operator that it does not know."""
    path = old_file([helper.make_node("Relu", ["a"], ["b"])], tmp_path / "old.onnx", 9)
    model = onnx.load(path)
    del model.graph.input[1]
    model.graph.node.append(helper.make_node("ATen", ["a"], ["dead"], domain="org.pytorch.aten"))
    model.opset_import.append(helper.make_opsetid("org.pytorch.aten", 1))
    onnx.save(model, path)
    (artifact,) = convert(str(path), ["onnx"], ["fp32"], tmp_path / "out", size=(HEIGHT, WIDTH))
    assert artifact.verification.worst.psnr > 100


@pytest.mark.parametrize(("opset", "axes"), [(13, None), (13, (2, 3)), (18, None), (20, (1, 2, 3))])
def test_a_norm_that_onnx_has_as_a_function(opset: int, axes: tuple[int, ...] | None, tmp_path: Path) -> None:
    attributes = {} if axes is None else {"axes": axes}
    path = old_file([helper.make_node("MeanVarianceNormalization", ["a"], ["b"], **attributes)], tmp_path / "x", opset)
    converted = convert_opset(read_onnx(path))
    pixels = picture(HEIGHT, WIDTH).transpose(2, 0, 1)[None].astype(np.float32)
    found, expected = (play(file, pixels) for file in (ir.to_proto(converted).SerializeToString(), path.read_bytes()))
    assert np.abs(found - expected).max() < 1e-4
    assert not any(node.op_type == "MeanVarianceNormalization" for node in converted.graph)


def test_a_border_of_two_numbers_is_refused(tmp_path: Path) -> None:
    path = old_file([helper.make_node("Crop", ["a"], ["b"], border=[1, 2], name="odd")], tmp_path / "old.onnx", 7)
    with pytest.raises(InputError, match="Crop 'odd' has a border of 2 numbers"):
        convert_opset(read_onnx(path))


def test_a_real_file_of_opset_7_converts(shared: Path, tmp_path: Path) -> None:
    path = shared / "data/real/prisma_nchw.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    (tmp_path / "judge").mkdir()
    images.write(tmp_path / "judge/a.png", picture(256, 256))
    out = tmp_path / "out"
    (artifact,) = convert(
        str(path),
        ["onnx"],
        ["fp32"],
        out,
        size=(256, 256),
        judge=tmp_path / "judge",
        ranges=((0.0, 255.0), (0.0, 1.0)),
    )
    assert artifact.verification.worst.psnr > 100
