"""Weights in fewer bits: what is stored is what was meant, on every target, and rounding makes up for itself."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pocketlens import quality
from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.weights import pack_indices
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.verify import verify_artifact
from pocketlens.converters.weight_quantization.activation_statistics import collect_hessians
from pocketlens.converters.weight_quantization.kmeans import kmeans_1d
from pocketlens.converters.weight_quantization.quantize import quantize_weights
from pocketlens.converters.weight_quantization.quantized_weights import (
    AffineQuantizedWeights,
    LutWeights,
    choose_lut,
    choose_qparams_mse,
    quantized_weights_of,
)
from pocketlens.errors import InputError, VerificationError
from pocketlens.files import artifact_bytes, sha256
from pocketlens.models.export import export
from pocketlens.precisions import PRECISIONS
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.converters.drafts import Draft
from tests.converters.foreign import run
from tests.generators import SIGNED, picture, small_graph

PICTURES = [picture(32, 48, seed) for seed in (1, 2)]
OTHERS = [picture(32, 48, seed) for seed in (3, 4, 5)]
CODED = [
    (target, p)
    for target, kind in TARGETS.items()
    for p in kind.precision_names
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


@pytest.mark.parametrize("target", TARGETS)
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


READERS = {
    "groups, uneven pads, dilations": (
        "Conv", (12, 4, 3, 3), {"group": 2, "pads": [2, 0, 1, 1], "strides": [2, 1], "dilations": [1, 2]}),
    "depthwise": ("Conv", (16, 1, 3, 3), {"group": 8, "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "wide": ("Conv", (4, 8, 7, 7), {"pads": [3, 3, 3, 3]}),
    "transposed": ("ConvTranspose", (8, 5, 4, 3), {"strides": [2, 3], "pads": [1, 0, 2, 1], "output_padding": [1, 0]}),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_the_error_that_is_predicted_is_the_error_that_there_is(name: str) -> None:
    operator, shape, attributes = READERS[name]
    draft = Draft((1, 3, 9, 11))
    draft.add("Conv", "x", draft.random(8, 3, 1, 1))
    kernel = draft.random(*shape)
    draft.add(operator, draft.last, kernel, **attributes)
    graph = draft.model()
    graph.graph.inputs[0].name = hub.INPUT
    seen = collect_hessians(graph, [picture(9, 11)])[kernel]
    feed = {hub.INPUT: picture(9, 11).astype(np.float32).transpose(2, 0, 1)[None]}
    (before,) = run(graph, feed)
    value = graph.graph.initializers[kernel]
    change = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    value.const_value = ir.tensor(np.asarray(hub.initializer(value)) + change, name=kernel)
    (after,) = run(graph, feed)
    count, positions = np.zeros(shape), 0.0
    for block in seen:
        np.add.at(count, block.places, 1)
    assert (count == 1).all()
    for block in seen:
        rows = change[block.places].astype(np.float64)
        positions += float(np.einsum("oi,ij,oj->", rows, block.values, rows))
    if operator == "Conv" and len(seen) <= 8:  # every output is the sum of one block
        assert positions * after[0, 0].size == pytest.approx(
            np.square(after - before, dtype=np.float64).sum(), rel=1e-3
        )
    if name == "transposed":  # phases have nearly equally many positions
        mean = positions / len(seen)
        assert mean * after[0, 0].size == pytest.approx(np.square(after - before, dtype=np.float64).sum(), rel=0.1)


def test_values_that_are_not_finite_are_named() -> None:
    graph = small_graph()
    name = next(n for n in graph.graph.initializers if n.startswith("down.weight"))
    array = np.array(hub.initializer(graph.graph.initializers[name])) * np.float32(1e38)
    graph.graph.initializers[name].const_value = ir.tensor(array, name=name)
    with pytest.raises(InputError, match=r"reads is not finite on calibration picture 1"):
        quantize_weights(graph, "w8", OTHERS)


@settings(max_examples=25)
@given(st.integers(0, 2**16), st.sampled_from([0, 1]), st.floats(1e-6, 1e3))
def test_scales_lose_no_more_than_plain_ones(seed: int, axis: int, size: float) -> None:
    array = np.random.default_rng(seed).standard_normal((6, 5, 3, 3)).astype(np.float32) * np.float32(size)
    scales = choose_qparams_mse(array, axis)
    assert (scales == scales.astype(np.float16)).all()
    shape = [1] * 4
    shape[axis] = -1
    spread = scales.reshape(shape)
    made = AffineQuantizedWeights(np.clip(np.rint(array / spread), -127, 127).astype(np.int8), scales, axis)
    # A twelfth of the step squared is what rounding loses; 270 values scatter around it.
    assert np.square(made.dequantize() - array).mean() <= np.square(spread).mean() / 9 + 1e-12


@settings(max_examples=25)
@given(st.integers(0, 2**16), st.sampled_from([2, 4, 16, 64]))
def test_a_palette_is_sorted_and_beats_even_steps(seed: int, count: int) -> None:
    values = np.random.default_rng(seed).standard_normal(5000).astype(np.float32)
    made, even = kmeans_1d(values, count), np.linspace(values.min(), values.max(), count)
    assert (np.diff(made) >= 0).all()

    def loss(table: np.ndarray) -> float:
        return float(np.square(table[np.searchsorted((table[1:] + table[:-1]) / 2, values)] - values).mean())

    assert loss(made) <= loss(even)


def test_few_distinct_values_are_kept_exactly() -> None:
    array = np.float32([0.5, -2, 0, 0.5]).reshape(2, 2)
    table = choose_lut(array, 4)
    assert table.size == 16
    assert set(array.ravel()) <= set(table)


def test_indices_are_packed_as_the_interpreter_unpacks_them() -> None:
    from pocketlens.runtimes.mil.values import unpack

    for bits in (4, 6, 8):
        indices = np.random.default_rng(bits).integers(0, 1 << bits, (3, 7)).astype(np.uint8)
        made = pack_indices(LutWeights(np.zeros(1 << bits, np.float32), indices))
        assert (unpack(made, bits, 21) == indices.reshape(-1)).all()


def test_forms_that_are_not_ours_are_left_alone() -> None:
    graph = quantize_weights(small_graph(), "w8")
    decoded = [n for n in graph.graph if n.op_type == "DequantizeLinear"]
    assert decoded
    assert all(isinstance(quantized_weights_of(n.outputs[0]), AffineQuantizedWeights) for n in decoded)
    zero = hub.add_constant(graph, "zero", np.full(1, 3, np.int8))
    odd = ir.node("DequantizeLinear", [*decoded[0].inputs, zero])
    assert quantized_weights_of(odd.outputs[0]) is None
    assert quantized_weights_of(graph.graph.inputs[0]) is None
