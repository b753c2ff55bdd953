"""Files that are no generator of RGB pictures, or whose range is said wrong: refused in words, before any work."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from pocketlens.cli import app
from pocketlens.cli import convert as _convert  # noqa: F401 - makes the command known
from pocketlens.cli import inspect as _inspect  # noqa: F401
from pocketlens.errors import InputError
from pocketlens.pipeline.commands.convert import convert
from pocketlens.runtimes.session import open_artifact

Shape = Sequence[int | str]
FREE = ("n", 3, "h", "w")


def flat(said: str) -> str:
    """Without the line breaks that a terminal's width makes."""
    return " ".join(said.split())


def write(
    path: Path, nodes: Sequence[onnx.NodeProto], *, inputs: dict[str, Shape] | None = None,
    outputs: dict[str, Shape] | None = None, **weights: np.ndarray,
) -> None:  # fmt: skip
    """A model of these nodes, from ``x`` to ``y`` if nothing else is said."""
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in values.items()]
        for values in (inputs or {"x": FREE}, outputs or {"y": FREE})
    ]
    kept = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(list(nodes), "odd", *ends, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def conv(taken: int, given: int) -> np.ndarray:
    return np.random.default_rng(taken).normal(0, 0.1, (given, taken, 3, 3)).astype(np.float32)


def one(taken: int, given: int) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    return [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], {"w": conv(taken, given)}


def two_inputs(path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "mask"], ["y"])]
    write(path, nodes, inputs={"x": FREE, "mask": (1, 3, 1, 1)})


def two_outputs(path: Path) -> None:
    nodes, weights = one(3, 3)
    write(path, [*nodes, helper.make_node("Relu", ["y"], ["z"])], outputs={"y": FREE, "z": FREE}, **weights)


def channels(taken: int, given: int):  # type: ignore[no-untyped-def]
    def make(path: Path) -> None:
        nodes, weights = one(taken, given)
        write(path, nodes, inputs={"x": ("n", taken, "h", "w")}, outputs={"y": ("n", given, "h", "w")}, **weights)

    return make


def batch(path: Path) -> None:
    nodes, weights = one(3, 3)
    write(path, nodes, inputs={"x": (4, 3, 32, 48)}, outputs={"y": (4, 3, 32, 48)}, **weights)


def another_size(path: Path) -> None:
    nodes, weights = one(3, 3)
    write(path, nodes, inputs={"x": (1, 3, 64, 64)}, outputs={"y": (1, 3, 64, 64)}, **weights)


def enlarging(path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["c"], ["y"], blocksize=2),
    ]
    write(path, nodes, outputs={"y": ("n", 3, "h2", "w2")}, w=conv(3, 12))


def without_batch(path: Path) -> None:
    nodes, weights = one(3, 3)
    nodes[0].output[0] = "c"
    write(path, [*nodes, helper.make_node("Squeeze", ["c", "axes"], ["y"])], outputs={"y": (3, "h", "w")},
          axes=np.zeros(1, np.int64), **weights)  # fmt: skip


def random(path: Path) -> None:
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["noise"], name="grain"),
        helper.make_node("Add", ["x", "noise"], ["y"]),
    ]
    write(path, nodes)


def deciding(path: Path) -> None:
    branch = [
        helper.make_graph(
            [helper.make_node(op, ["x"], [op])], op, [], [helper.make_tensor_value_info(op, TensorProto.FLOAT, FREE)]
        )
        for op in ("Relu", "Abs")
    ]
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "limit"], ["bright"]),
        helper.make_node("If", ["bright"], ["y"], name="choose", then_branch=branch[0], else_branch=branch[1]),
    ]
    write(path, nodes, limit=np.array(200, np.float32))


def classifier(path: Path) -> None:
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["y"])]
    write(path, nodes, outputs={"y": ("n", 3)})


def fused(path: Path) -> None:
    nodes = [helper.make_node("FusedConv", ["x", "w"], ["y"], name="first", domain="com.microsoft", pads=[1, 1, 1, 1])]
    graph = helper.make_graph(
        nodes, "odd", [helper.make_tensor_value_info("x", TensorProto.FLOAT, FREE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, FREE)], [numpy_helper.from_array(conv(3, 3), "w")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def integers(path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="quantize"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    write(path, nodes)


REFUSED = {
    "quantized as it runs": (integers, "DynamicQuantizeLinear 'quantize' computes in integers", "the float file"),
    "two inputs": (two_inputs, "the model has 2 inputs: 'x'", "--constant mask="),
    "two outputs": (two_outputs, "the model has 2 outputs: 'y'", "--output y"),
    "grey": (channels(1, 1), "'x' has 1 channel, a picture 3", "makes RGB grey"),
    "transparent": (channels(4, 4), "'x' has 4 channels, a picture 3", "--constant x.3=NUMBER"),
    "features": (channels(8, 3), "'x' has 8 channels, a picture 3", "--constant x.3=NUMBER"),
    "another size": (another_size, "'x' has height 64, expected 32", "64x64, the size that it was exported with"),
    "a classifier": (classifier, "is FLOAT [1, 3], expected float32 [1, 3, height, width]", "gives one RGB picture"),
    "random": (random, "RandomNormalLike 'grain' gives other values each time", "noise fixed"),
    "deciding": (deciding, "If 'choose' decides while the model runs", "without control flow"),
    "fused for one runtime": (fused, "FusedConv 'first' of 'com.microsoft'", "before onnxruntime optimized"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_generator_is_refused_with_what_to_do(kind: str, tmp_path: Path) -> None:
    make, wrong, remedy = REFUSED[kind]
    make(tmp_path / "odd.onnx")
    size = ["--size", "32x48"]
    converted = CliRunner().invoke(
        app, ["convert", str(tmp_path / "odd.onnx"), "-t", "tflite", "-o", str(tmp_path / "out"), *size]
    )
    looked_at = CliRunner().invoke(app, ["inspect", str(tmp_path / "odd.onnx"), *size])
    for done in (converted, looked_at):
        said = flat(done.output)
        assert done.exit_code == 2, said
        assert wrong in said and remedy in said, said
        assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_equal_names_of_nodes_are_mended(tmp_path: Path) -> None:
    """Of all that read the file, onnxruntime alone refuses equal names."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["z"], "same", pads=[1, 1, 1, 1])]
    write(tmp_path / "m.onnx", [*nodes, helper.make_node("Relu", ["z"], ["y"], "same")], w=conv(3, 3))
    (artifact,) = convert(str(tmp_path / "m.onnx"), ["onnx"], ["fp32"], tmp_path / "out", size=(32, 48))
    assert artifact.verification.worst.psnr > 100


def test_number_types_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["z"], pads=[1, 1, 1, 1]), helper.make_node("Max", ["z", "h"], ["y"])]
    write(tmp_path / "m.onnx", nodes, w=conv(3, 3), h=np.zeros(1, np.float16))
    with pytest.raises(InputError, match="bound to different types") as caught:
        convert(str(tmp_path / "m.onnx"), ["onnx"], ["fp32"], tmp_path / "out", size=(32, 48))
    assert "before another tool changed its number types" in str(caught.value)


def tanh(path: Path) -> None:
    write(
        path,
        [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Tanh", ["c"], ["y"])],
        w=conv(3, 3),
    )


def test_a_range_that_cannot_be_is_refused_and_the_right_one_is_taken(tmp_path: Path) -> None:
    tanh(tmp_path / "odd.onnx")
    asked = ["convert", str(tmp_path / "odd.onnx"), "-t", "onnx", "-o", str(tmp_path / "out"), "--size", "32x48"]
    wrong = CliRunner().invoke(app, asked)
    assert wrong.exit_code == 2
    assert "gives values from -1 to 1, but 0 is said to be black and 255 white" in flat(wrong.output)
    assert "--output-range LOW HIGH" in flat(wrong.output)
    assert not (tmp_path / "out").exists()
    right = CliRunner().invoke(app, [*asked, "--input-range", "-1", "1", "--output-range", "-1", "1", "--json"])
    assert right.exit_code == 0, right.output
    turned = CliRunner().invoke(app, [*asked, "--output-range", "1", "-1"])
    assert turned.exit_code == 2 and "Traceback" not in turned.output


@pytest.mark.parametrize(
    ("make", "factor"),
    [(batch, 1), (enlarging, 2), (channels(3, 1), 1), (without_batch, 1)],
    ids=["batch", "x2", "grey", "no batch"],
)
def test_pictures_of_another_kind_convert(make: Callable[[Path], None], factor: int, tmp_path: Path) -> None:
    make(tmp_path / "odd.onnx")
    arguments = ["convert", str(tmp_path / "odd.onnx"), "-t", "tflite", "-p", "fp32", "-o", str(tmp_path / "out")]
    ranges = ["--input-range", "0", "255", "--output-range", "-255", "255"]
    done = CliRunner().invoke(app, [*arguments, "--size", "32x48", *ranges])
    assert done.exit_code == 0, done.output
    with open_artifact(tmp_path / "out" / "tflite-fp32-32x48.tflite") as session:
        assert session(np.zeros((32, 48, 3), np.uint8)).shape == (32 * factor, 48 * factor, 3)
        assert session(np.zeros((20, 30, 3), np.uint8)).shape == (20 * factor, 30 * factor, 3)
        assert session(np.zeros((20, 30, 4), np.uint8)).shape == (20 * factor, 30 * factor, 4)
