"""What the ``onnx`` target takes, and what its files hold."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters import onnx
from pocketlens.converters.emitter import Labels
from tests.generators import small_graph

LABELS = Labels("wave", version="2.1", description="Waves", license="MIT", author="Hokusai")


def test_operators_of_other_domains_and_unknown_ones_are_refused() -> None:
    graph = small_graph()
    assert onnx.refusals(graph) == []
    first, second, *_ = graph.graph
    first.domain, second.op_type = "com.example", "Sharpen"
    reasons = {refusal.node: refusal.reason for refusal in onnx.refusals(graph)}
    assert reasons == {
        first.name: "domain 'com.example' is not standard ONNX",
        second.name: f"not an operator of opset {hub.OPSET}",
    }


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    onnx.emit(small_graph(), "fp32", LABELS, tmp_path / "small.onnx")
    model = hub.load(tmp_path / "small.onnx")
    assert (model.producer_name, model.producer_version, model.doc_string) == ("pocketlens", "2.1", "Waves")
    assert dict(model.metadata_props) == {"name": "wave", "license": "MIT", "author": "Hokusai", "precision": "fp32"}


def test_large_weights_are_stored_as_float16_behind_a_cast(tmp_path: Path) -> None:
    graph = small_graph()
    before = ir.to_proto(graph).SerializeToString(deterministic=True)
    onnx.emit(graph, "fp16", LABELS, tmp_path / "small.onnx")
    assert ir.to_proto(graph).SerializeToString(deterministic=True) == before
    stored = [hub.initializer(value) for value in hub.load(tmp_path / "small.onnx").graph.initializers.values()]
    sizes = {
        dtype: [a.size for a in stored if a is not None and a.dtype == dtype] for dtype in (np.float16, np.float32)
    }
    assert min(sizes[np.float16]) >= 256 > max(sizes[np.float32])


def test_weights_beyond_float16_stay_float32(tmp_path: Path) -> None:
    graph = small_graph()
    value = next(value for value in graph.graph.initializers.values() if value.const_value.size >= 256)
    value.const_value = ir.tensor(value.const_value.numpy() * np.float32(1e6), name=value.name)
    onnx.emit(graph, "fp16", LABELS, tmp_path / "small.onnx")
    assert str(value.name) in hub.load(tmp_path / "small.onnx").graph.initializers
