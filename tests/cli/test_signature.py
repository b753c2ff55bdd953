"""Which input and output is the picture is said on the command line and in a recipe, with one meaning."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from pocketlens import recipe
from pocketlens.cli import app
from pocketlens.cli import convert as _convert  # noqa: F401 - makes the command known
from pocketlens.errors import InputError
from pocketlens.models.source import resolve
from pocketlens.pipeline.commands.model import signature_of
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """``y = picture * strength + 3`` and its mean over the colours, with a strength for each colour."""
    nodes = [
        helper.make_node("Mul", ["picture", "strength"], ["scaled"]),
        helper.make_node("Add", ["scaled", "three"], ["y"]),
        helper.make_node("ReduceMean", ["scaled"], ["grey"], axes=[1]),
    ]
    free = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
         for name, shape in (("picture", free), ("strength", [1, 3, 1, 1]))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
         for name, shape in (("y", free), ("grey", ["n", 1, "h", "w"]))],
        [numpy_helper.from_array(np.array(3, np.float32), "three")],
    )  # fmt: skip
    path = tmp_path / "strong.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    )
    np.save(tmp_path / "strength.npy", np.array([0.5, 0.75, 1.0], np.float32).reshape(1, 3, 1, 1))
    return path


def test_options_choose_and_fix(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["convert", "strong.onnx", "-t", "onnx", "-p", "fp32", "--size", "32x48", "-o", "out"]
    chosen = [*command, "--output", "grey", "--constant", "strength=strength.npy", "--input-order", "BGR"]
    done = CliRunner().invoke(app, chosen)
    assert done.exit_code == 0, done.output
    image = picture(32, 48, 3)
    expected = (image[..., ::-1] * np.array([0.5, 0.75, 1.0])).mean(2, keepdims=True)
    with open_artifact(tmp_path / "out" / "onnx-fp32-32x48.onnx") as session:
        assert np.allclose(session.floats(image), expected, atol=1e-3)
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "--constant strength=NUMBER" in refused.output.replace("\n", " ")


def test_a_recipe_says_the_same(model: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(
        '[filter]\nname = "strong"\nsource = "strong.onnx"\noutput = "y"\nmean = [0.5, 0.5, 0.5]\n'
        'constants = { strength = 0.5 }\noutput_order = "BGR"\n[targets]\nonnx = ["fp32"]\n'
    )
    said = signature_of(recipe.Recipe.read(tmp_path / "recipe.toml").filter)
    assert (said.output, said.constants, said.mean) == ("y", (("strength", "0.5"),), (0.5, 0.5, 0.5))
    assert said.output_order == "BGR"
    plain, other = (resolve("strong.onnx", base=tmp_path, signature=one).key for one in (None, said))
    assert plain != other


def test_a_range_and_a_mean_are_one_too_many(model: Path, tmp_path: Path) -> None:
    from pocketlens.converters.signature import Signature

    with pytest.raises(InputError, match="both given"):
        resolve("strong.onnx", base=tmp_path, ranges=((0, 1), None), signature=Signature(mean=(0.5, 0.5, 0.5)))


@pytest.mark.parametrize(("name", "way"), [("m.pb", "--graphdef"), ("m.h5", "--keras"), ("m.mlmodel", "converted")])
def test_files_of_other_tools_are_refused_with_the_way_back(name: str, way: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=way):
        resolve(name, base=tmp_path)
