"""What the ``openvino`` target takes, and what its files say of themselves."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import openvino
from pocketlens.converters.emitter import Labels
from pocketlens.files import sha256
from tests.converters.graph_builder import GraphBuilder
from tests.generators import small_graph

LABELS = Labels("wave", version="2.1", description="Waves", license="MIT", author="Hokusai")


def test_operators_without_a_rule_in_the_frontend_are_left_out() -> None:
    assert openvino.frontend_operators(["Conv", "Det", "Relu"]) == ["Conv", "Relu"]


def test_what_follows_a_node_that_is_not_converted_is_not_to_blame() -> None:
    builder = GraphBuilder((1, 3, 8, 8))
    offsets = builder.add("Conv", "x", builder.random(18, 3, 3, 3), pads=[1] * 4)
    moved = builder.add("DeformConv", "x", builder.random(4, 3, 3, 3), offsets, pads=[1] * 4)
    builder.add("Conv", moved, builder.random(3, 4, 3, 3), pads=[1] * 4)
    assert [refusal.operator for refusal in openvino.refusals(builder.model())] == ["DeformConv"]


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    import openvino as ov

    openvino.emit(small_graph(), "fp32", LABELS, tmp_path / "small.xml")
    network = ov.Core().read_model(tmp_path / "small.xml")
    labels = {key: network.get_rt_info(["pocketlens", key]).astype(str) for key in ("name", "version", "license")}
    assert labels == {"name": "wave", "version": "2.1", "license": "MIT"}
    assert network.get_friendly_name() == "wave"


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_same_graph_gives_the_same_bytes_and_is_left_alone(tmp_path: Path, precision: str) -> None:
    graph = small_graph()
    before = ir.to_proto(graph).SerializeToString(deterministic=True)
    for name in ("a", "b"):
        openvino.emit(graph, precision, LABELS, tmp_path / f"{name}.xml")
    assert ir.to_proto(graph).SerializeToString(deterministic=True) == before
    for suffix in ("xml", "bin"):
        assert sha256(tmp_path / f"a.{suffix}") == sha256(tmp_path / f"b.{suffix}")


def test_a_refusal_names_the_node_that_is_misread_and_not_those_behind_it() -> None:
    """OpenVINO 2026.4 transforms along another axis than ONNX says, so that no convolution behind it fits."""
    builder = GraphBuilder((1, 3, 8, 8))
    column = builder.add("Unsqueeze", "x", builder.ints(4))
    spectrum = builder.add("DFT", column, "", builder.array(3, np.int64), onesided=1)
    real = builder.add("Gather", spectrum, builder.array(0, np.int64), axis=4)
    builder.add("Conv", real, builder.array(np.ones((3, 3, 1, 1), np.float32)))
    found = openvino.refusals(builder.model())
    assert found and {refusal.operator for refusal in found} == {"DFT"}
    assert "OpenVINO gives it the shape" in found[0].reason and "ONNX [1, 3, 8, 5, 2]" in found[0].reason
