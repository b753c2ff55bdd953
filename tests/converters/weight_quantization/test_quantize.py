"""Quantized weights: what is stored is what was meant, on every target, and rounding makes up for itself."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from pocketlens import quality
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.verify import verify_artifact
from pocketlens.converters.weight_quantization.quantize import quantize_weights
from pocketlens.errors import InputError, VerificationError
from pocketlens.files import artifact_bytes, sha256
from pocketlens.models.export import export
from pocketlens.precisions import PRECISIONS
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS, every_target
from tests.generators import SIGNED, picture, small_graph

PICTURES = [picture(32, 48, seed) for seed in (1, 2)]


OTHERS = [picture(32, 48, seed) for seed in (3, 4, 5)]


CODED = [
    (target, p)
    for target in every_target()
    for p in TARGETS[target].precision_names
    if PRECISIONS[p].quantizes == "weights"
]


def played(graph: ir.Model, path: Path) -> list[np.ndarray]:
    hub.save(graph, path)
    with open_artifact(path) as session:
        return [session.floats(p) for p in PICTURES]


@pytest.mark.parametrize(("target", "precision"), CODED)
def test_every_target_computes_what_the_coded_graph_computes(tmp_path: Path, target: str, precision: str) -> None:
    graph = quantize_weights(small_graph(), precision, OTHERS)
    meant, teachers = played(graph, tmp_path / "coded.onnx"), played(small_graph(), tmp_path / "float.onnx")
    paths = [tmp_path / name / f"small{TARGETS[target].suffix}" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        emitter(target).emit(graph, precision, Labels("small"), path)
    found = verify_artifact(paths[0], PRECISIONS[precision].floors, PICTURES, teachers, graph_outputs=meant)
    assert found.agreement is not None
    assert found.agreement > (65 if target == "coreml" else found.worst.psnr + 3)  # Core ML rounds to half
    assert sha256(paths[0].parent) == sha256(paths[1].parent)


@pytest.mark.parametrize("target", [t for t, p in CODED if p == "w8"])
def test_a_quarter_of_the_bytes(tmp_path: Path, target: str) -> None:
    torch.manual_seed(0)
    graph = export(nn.Sequential(nn.Conv2d(3, 64, 9, 1, 4), nn.Conv2d(64, 3, 9, 1, 4)), 32, 48, SIGNED)
    sizes = {}
    for precision in ("fp32", "w8"):
        path = tmp_path / precision / f"a{TARGETS[target].suffix}"
        path.parent.mkdir()
        emitter(target).emit(quantize_weights(graph, precision), precision, Labels("a"), path)
        sizes[precision] = artifact_bytes(path)
    assert sizes["w8"] < 0.25 * sizes["fp32"] + 9000


@pytest.mark.parametrize("target", every_target())
def test_a_wrong_file_does_not_pass_for_a_lossy_one(tmp_path: Path, target: str) -> None:
    graph = quantize_weights(small_graph(), "w8", OTHERS)
    meant, teachers = played(graph, tmp_path / "coded.onnx"), played(small_graph(), tmp_path / "float.onnx")
    name = next(n for n in graph.graph.initializers if n.startswith("last.weight") and n.endswith("_q"))
    wrong = np.array(hub.initializer(graph.graph.initializers[name]))
    wrong[0, 0] = -wrong[0, 0]
    graph.graph.initializers[name].const_value = ir.tensor(wrong, name=name)
    path = tmp_path / f"wrong{TARGETS[target].suffix}"
    emitter(target).emit(graph, "w8", Labels("wrong"), path)
    with pytest.raises(VerificationError, match="dB against the graph that it was made from"):
        verify_artifact(path, PRECISIONS["w8"].floors, PICTURES, teachers, graph_outputs=meant)


def test_pictures_help_and_the_graph_is_left_alone(tmp_path: Path) -> None:
    graph = small_graph()
    before = sorted(graph.graph.initializers)
    teachers = played(graph, tmp_path / "float.onnx")
    for precision in ("w8", "palette4"):
        score = {}
        for name, pictures in (("alone", []), ("seen", OTHERS)):
            found = played(quantize_weights(graph, precision, pictures), tmp_path / f"{name}.onnx")
            score[name] = min(quality.psnr(t, o) for t, o in zip(teachers, found, strict=True))
        assert score["seen"] > score["alone"] + 1
    assert sorted(graph.graph.initializers) == before
    assert quantize_weights(graph, "fp16") is graph


def test_values_that_are_not_finite_are_named() -> None:
    graph = small_graph()
    name = next(n for n in graph.graph.initializers if n.startswith("down.weight"))
    array = np.array(hub.initializer(graph.graph.initializers[name])) * np.float32(1e38)
    graph.graph.initializers[name].const_value = ir.tensor(array, name=name)
    with pytest.raises(InputError, match=r"reads is not finite on calibration picture 1"):
        quantize_weights(graph, "w8", OTHERS)
