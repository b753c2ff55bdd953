"""What a Core AI file holds, and what coreai-core does silently wrong if it is let."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

from pocketlens.converters import coreai
from pocketlens.converters import graph as hub
from pocketlens.converters.coreai.builder import CoreAIBuilder, Var
from pocketlens.converters.coreai.constants import Constants
from pocketlens.converters.coreai.lower import add_graph
from pocketlens.converters.coreai.pictures import Pictures
from pocketlens.converters.coreai.write import write
from pocketlens.converters.rewrites import registry
from pocketlens.converters.weight_quantization.quantize import quantize_weights
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.files import bytes_of, sha256
from pocketlens.quality import psnr
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.bands import Case, banded, floats, weights
from tests.converters.coreai.harness import LABELS, emit, needs_core_ai, run_both
from tests.generators import picture, small_graph

SIZE = (32, 48)


def _graph(weights: np.ndarray, scale: float, *, norm: bool = False) -> ir.Model:
    """A convolution of a picture, scaled so that it fills 0..255, with a norm between if asked."""
    nodes = [helper.make_node("Conv", ["image", "w"], ["c"])]
    nodes += [helper.make_node("InstanceNormalization", ["c", "gamma", "beta"], ["n"])] if norm else []
    nodes += [
        helper.make_node("Mul", ["n" if norm else "c", "scale"], ["m"]),
        helper.make_node("Add", ["m", "shift"], ["a"]),
        helper.make_node("Clip", ["a", "low", "high"], ["stylized"]),
    ]
    constants = {
        "w": weights.astype(np.float32), "scale": np.float32(scale), "shift": np.float32(128), "low": np.float32(0),
        "high": np.float32(255), "gamma": np.ones(3, np.float32), "beta": np.zeros(3, np.float32),
    }  # fmt: skip
    used = {name for node in nodes for name in node.input}
    shape = [1, 3, *SIZE]
    proto = helper.make_model(
        helper.make_graph(
            nodes, "g",
            [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("stylized", onnx.TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items() if name in used],
        ),
        opset_imports=[helper.make_opsetid("", hub.OPSET)], ir_version=10,
    )  # fmt: skip
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto))


@needs_core_ai
def test_four_bit_indices_are_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """coreai-core's own ``constant`` stores one value a byte, and the runtime reads two: another picture, silently."""
    graph = quantize_weights(small_graph(*SIZE), "palette4", [picture(*SIZE, seed) for seed in (1, 2)])
    expected, computed = run_both(graph, "palette4", tmp_path, picture(*SIZE))
    assert psnr(expected, computed) > 60

    def one_a_byte(self: Constants, data: np.ndarray, shape: tuple[int, ...], bits: int) -> object:
        from coreai._compiler.ir import IntegerType

        spread = np.stack([data & 15, data >> 4], axis=-1).reshape(-1)[: np.prod(shape)]
        return self._resource(spread, shape, IntegerType.get_unsigned(bits))

    monkeypatch.setattr(Constants, "packed", one_a_byte)
    (tmp_path / "wrong").mkdir()
    with pytest.raises((InputError, AssertionError)):
        expected, computed = run_both(graph, "palette4", tmp_path / "wrong", picture(*SIZE))
        assert psnr(expected, computed) > 60


@needs_core_ai
@pytest.mark.parametrize("precision", ["fp16", "w8"])
def test_subnormal_halves_are_kept(tmp_path: Path, precision: str) -> None:
    """Weights below 6e-5, which a folded cast and a dequantize in half precision damage."""
    weights = np.random.default_rng(0).choice([-5e-5, -2e-5, 1e-5, 4e-5], (3, 3, 1, 1))
    graph = _graph(weights, 8000.0)
    if precision == "w8":
        graph = quantize_weights(graph, "w8", [picture(*SIZE, 1)])
    expected, computed = run_both(graph, precision, tmp_path, picture(*SIZE))
    assert expected.std() > 5
    assert psnr(expected, computed) > 55


@needs_core_ai
def test_statistics_of_norms_hold_a_deviation_of_300(tmp_path: Path) -> None:
    """Its squares overflow half precision; norms that did fell to 14 dB."""
    weights = 5 * np.eye(3).reshape(3, 3, 1, 1)
    expected, computed = run_both(_graph(weights, 50.0, norm=True), "fp16", tmp_path, picture(*SIZE))
    assert psnr(expected, computed) > 60


@needs_core_ai
def test_transposed_convolutions_sum_in_float32(tmp_path: Path) -> None:
    """Core AI sums them in float16 where the file has float16: 54 dB. As convolutions they have 69 dB."""
    names = {"w": weights(256, 3, 3, 3), "v": weights(256, 3, 4, 4, scale=2)}
    window = "<pads = [1, 1, 1, 1], strides = [2, 2]>"
    case = Case(f"c = Conv {window} (x, w)\ny = ConvTranspose {window} (c, v)", names)
    plain, rewritten = banded(case), banded(case)
    registry.apply(rewritten, TARGETS["coreai"].rewrites)
    (tmp_path / "plain").mkdir()
    assert psnr(*run_both(plain, "fp16", tmp_path / "plain")) < 58
    assert psnr(*run_both(rewritten, "fp16", tmp_path)) > 65


@needs_core_ai
@pytest.mark.parametrize(("bias", "after"), [(500, "y = Identity(n)"), (0, "y = Sub(n, c)")])
def test_a_bias_that_a_norm_takes_off_is_not_rounded(tmp_path: Path, bias: float, after: str) -> None:
    """Beside a bias of 500 half precision counts in halves: 34 dB. Where something else reads the bias, it stays."""
    nodes = f"c = Conv(x, w, b)\nn = InstanceNormalization(c, one, none)\n{after}"
    numbers = {"b": floats(bias + 1, bias, bias - 1), "one": floats(1, 1, 1), "none": floats(0, 0, 0)}
    case = Case(nodes, {"w": weights(3, 3, 1, 1), **numbers})
    assert psnr(*run_both(banded(case), "fp16", tmp_path)) > 70


@needs_core_ai
def test_halves_are_stored_as_halves(tmp_path: Path) -> None:
    graph = banded(Case("y = Conv <pads = [5, 5, 5, 5]> (x, w)", {"w": np.ones((3, 3, 11, 11), np.float32) / 121}))
    wide, half = (bytes_of(emit(graph, precision, tmp_path)) for precision in ("fp32", "fp16"))
    assert wide - half > 2 * 3 * 3 * 11 * 11 * 0.9


@needs_core_ai
def test_it_says_whose_it_is_and_not_when_it_was_made(tmp_path: Path) -> None:
    path = emit(small_graph(*SIZE), "fp16", tmp_path)
    assert sorted(file.name for file in path.iterdir()) == ["main.hash", "main.mlirb", "metadata.json"]
    told = json.loads((path / "metadata.json").read_text())
    assert (told["author"], told["license"], told["description"]) == ("Hokusai", "MIT", "Waves")
    assert told["creatorDefinedMetadata"] == {
        "pocketlens.filter": "wave", "pocketlens.version": "2.1", "pocketlens.precision": "fp16",
    }  # fmt: skip
    assert "creationDate" not in told


@needs_core_ai
def test_pictures_go_in_and_out_of_main(tmp_path: Path) -> None:
    from coreai.authoring import AIModelAsset

    summary = AIModelAsset.load(emit(small_graph(*SIZE), "fp16", tmp_path)).summary()
    assert set(summary.function_names) == {"main", "tensor"}
    assert summary.function_inputs("main") == [("image", "Image (48 × 32, 32BGRA)")]
    assert summary.function_outputs("main") == [("stylized", "Image (48 × 32, 32BGRA)")]
    assert summary.function_inputs("tensor") == [("image", "NDArray (Float32, 1 × 3 × 32 × 48)")]


@needs_core_ai
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_pixels_of_pictures_keep_their_colours(tmp_path: Path, dtype: type[np.floating]) -> None:
    """What stands around the body in ``main``, on arrays: the machine here cannot be fed pictures."""
    from coreai.authoring import AIModelAsset, AIProgram, Module, TensorType
    from coreai.runtime import NDArray

    builder = CoreAIBuilder(dtype)
    pictures = Pictures(builder, *SIZE)

    def brighter(pixels: Var) -> Var:
        array = pictures.from_pixels(pixels)
        assert tuple(array.type.shape) == (1, 3, *SIZE)
        red = builder.floats(np.array([60.4, 0, -40.6]).reshape(1, 3, 1, 1))
        return pictures.to_pixels(builder.ops.broadcasting_add(array, red))

    module, shape = Module.create(), (*SIZE, 4)
    with module:
        add_graph("main", [TensorType(shape, np.uint8)], TensorType(shape, np.uint8, name="out"), brighter)
    write(AIProgram(module), LABELS, "fp32", tmp_path / "p.aimodel")
    rgb = picture(*SIZE)
    bgra = np.concatenate([rgb[:, :, ::-1], np.full((*SIZE, 1), 7, np.uint8)], axis=2)

    async def play() -> np.ndarray:
        async with AIModelAsset.load(tmp_path / "p.aimodel").executable() as model:
            outputs = await model.load_function("main")({"image": NDArray(np.ascontiguousarray(bgra))})
            return outputs["out"].numpy().copy()

    changed = asyncio.run(play())
    expected = np.clip(np.rint(rgb + dtype([60.4, 0, -40.6]).astype(np.float32)), 0, 255)
    assert np.abs(changed[:, :, 2::-1] - expected).max() <= (0 if dtype is np.float32 else 1)
    assert (changed[:, :, 3] == 255).all(), "opaque"


@needs_core_ai
def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    graph = small_graph(*SIZE)
    hub.save(graph, tmp_path / "graph.onnx")
    before = ir.to_proto(graph).SerializeToString(deterministic=True)
    here = emit(graph, "fp16", tmp_path)
    assert ir.to_proto(graph).SerializeToString(deterministic=True) == before
    code = (
        "from pathlib import Path; from pocketlens.converters import coreai, graph, emitter\n"
        f"coreai.emit(graph.load(Path('graph.onnx')), 'fp16', emitter.{LABELS!r}, Path('c.aimodel'))"
    )
    environment = {"PYTHONHASHSEED": "12345", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sha256(tmp_path / "c.aimodel") == sha256(here)


def test_what_cannot_be_emitted_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="Sinh 'sinh_"):
        emit(banded(Case("y = Sinh(x)")), "fp32", tmp_path)
    with pytest.raises(InputError, match="no precision 'int3'"):
        coreai.emit(small_graph(*SIZE), "int3", LABELS, tmp_path / "p.aimodel")
    assert list(tmp_path.iterdir()) == []


@needs_core_ai
def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with open_artifact(emit(small_graph(*SIZE), "fp16", tmp_path), "coreai") as session:
        session(picture(*SIZE))
    assert capfd.readouterr() == ("", "")
    assert RUNTIMES["coreai"].interpreted
