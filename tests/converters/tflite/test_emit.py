"""Whole generators of the kinds that people bring, at 64 x 64 and with few channels; what is refused."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from pocketlens import quality
from pocketlens.converters import graph as hub
from pocketlens.converters import tflite
from pocketlens.converters.emitter import Labels
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.models.export import export
from pocketlens.runtimes.session import open_artifact
from tests.converters.tflite.generators import Anime, Student, UNet
from tests.converters.tflite.harness import LABELS, model, node, only_refusal
from tests.generators import SIGNED, fast_style, picture, small_graph


def _play(graph: ir.Model, precision: str, folder: Path) -> tuple[float, Counter[str], dict]:
    """PSNR against onnxruntime on the same graph, the file's operators, and what the runtime says of itself."""
    height, width = hub.size(graph)
    onnx, lite = folder / "graph.onnx", folder / "graph.tflite"
    hub.save(graph, onnx)
    tflite.emit(graph, precision, Labels("test"), lite)
    pixels = picture(height, width)
    with open_artifact(onnx, "onnxruntime") as teacher, open_artifact(lite, "litert", threads=2) as session:
        score = quality.psnr(teacher.floats(pixels), session.floats(pixels))
        inner = session._loaded[session.size]._player._interpreter._interpreter
        operators = Counter(str(inner.NodeName(index)) for index in range(inner.NumNodes()))
        del operators["DELEGATE"]
        return score, operators, session.runtime_info


@pytest.mark.parametrize(("kind", "partitions"), [(Anime, 1), (UNet, 1), (Student, 2)])
def test_a_generator(kind: type[nn.Module], partitions: int, tmp_path: Path) -> None:
    torch.manual_seed(3)
    graph = export(kind(), 64, 64, SIGNED)
    assert tflite.refusals(graph) == []
    score, operators, info = _play(graph, "fp32", tmp_path)
    assert score > 100
    assert operators["TRANSPOSE"] == operators["MIRROR_PAD"] == 0
    assert info.partitions == partitions
    score, _, info = _play(graph, "fp16", tmp_path)
    assert score > 60
    assert info.partitions == partitions


def test_a_picture_that_is_not_square(tmp_path: Path) -> None:
    torch.manual_seed(3)
    assert _play(export(Anime(), 48, 80, SIGNED), "fp32", tmp_path)[0] > 100


def test_real_weights(shared: Path, tmp_path: Path) -> None:
    graph = export(fast_style(shared / "data/fast_style/wave.npz"), 256, 256, Ranges())
    score, operators, info = _play(graph, "fp32", tmp_path)
    assert score > 100
    assert operators["TRANSPOSE"] == operators["PAD"] == operators["SLICE"] == 0
    assert info.partitions == 1
    assert (tmp_path / "graph.tflite").stat().st_size < 6_800_000
    score, _, info = _play(graph, "fp16", tmp_path)
    assert score > 70
    assert info.partitions == 1
    assert (tmp_path / "graph.tflite").stat().st_size < 3_450_000


def test_a_wrong_weight_shows(tmp_path: Path) -> None:
    torch.manual_seed(3)
    graph = export(Student(), 64, 64, SIGNED)
    whole = _play(graph, "fp32", tmp_path)[0]
    kernel = next(v for v in graph.graph.initializers.values() if v.name == "point.weight")
    assert kernel.const_value is not None
    broken = kernel.const_value.numpy().copy()
    broken[:, :4] = 0
    onnx = tmp_path / "graph.onnx"
    hub.save(graph, onnx)
    kernel.const_value = ir.tensor(broken, name=kernel.name)
    tflite.emit(graph, "fp32", Labels("test"), tmp_path / "broken.tflite")
    pixels = picture(64, 64)
    with open_artifact(onnx, "onnxruntime") as teacher, open_artifact(tmp_path / "broken.tflite") as session:
        score = quality.psnr(teacher.floats(pixels), session.floats(pixels))
    assert score < 60 < whole
    assert np.isfinite(score)


def test_an_unknown_operator_is_refused() -> None:
    assert only_refusal(model(node("LRN", size=3))) == "there is no lowering for it"


def test_refused_before_anything_is_written(tmp_path: Path) -> None:
    built = model(node("LRN", size=3, out="a"), node("Atan", "a"))
    assert [(r.operator, r.node) for r in tflite.refusals(built)] == [("LRN", "lrn_0"), ("Atan", "atan_1")]
    with pytest.raises(UnsupportedError, match="lrn_0"):
        tflite.emit(built, "fp32", LABELS, tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())


def test_an_unknown_precision(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="int3"):
        tflite.emit(small_graph(), "int3", LABELS, tmp_path / "x.tflite")
