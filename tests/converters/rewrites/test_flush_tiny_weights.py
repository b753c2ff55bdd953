"""Weights that change nothing but the time are zeros; those that do change something stay."""

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.emitter import Labels
from pocketlens.converters.rewrites.flush_tiny_weights import FlushTinyWeights, flush_tiny
from pocketlens.models.source import wrap
from pocketlens.pipeline.compile import base_graph
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.targets import ArtifactSpec
from tests.generators import SIGNED, picture, seeded, small_graph

TINY = np.float32(2.0**-126)


@pytest.mark.parametrize("value", [1e-40, -1e-42, 1e-33])
def test_tiny_beside_the_largest_is_zero(value: float) -> None:
    weights, count = flush_tiny(np.array([[0.2, value], [0.0, -0.1]], np.float32))
    assert count == 1 and weights.tolist() == np.array([[0.2, 0], [0, -0.1]], np.float32).tolist()


@pytest.mark.parametrize("values", [[1e-20, 1.0], [1e-33, 1e-34], [0.0, 0.0]])
def test_what_changes_something_stays(values: list[float]) -> None:
    weights = np.array(values, np.float32)
    assert flush_tiny(weights)[0] is weights


def test_the_pass_counts_what_it_does() -> None:
    graph = small_graph()
    weight = next(value for name, value in graph.graph.initializers.items() if name.startswith("last.weight"))
    values = np.array(constant(weight))
    values.reshape(-1)[:7] = 1e-41
    weight.const_value = ir.tensor(values, name=weight.name)
    flush = FlushTinyWeights()
    assert flush(graph).modified and flush.flushed == 7 and flush.of > 2000
    assert not FlushTinyWeights()(graph).modified


def test_a_generator_with_denormal_weights_becomes_a_graph_without_and_says_so() -> None:
    module = seeded()
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                weight[torch.rand(weight.shape, generator=torch.Generator().manual_seed(1)) < 0.25] = 1e-40
    before = {name: value.clone() for name, value in module.state_dict().items()}
    evaluation = _evaluation(module)
    graph = base_graph(evaluation, [ArtifactSpec("onnx", "fp32", (32, 48))])
    (note,) = graph.warnings
    assert "weights count as 0" in note and "small" in note
    for value in hub.load(graph.path).graph.initializers.values():
        if value.dtype == ir.DataType.FLOAT:
            sizes = np.abs(np.array(constant(value)))
            assert not ((sizes > 0) & (sizes < TINY)).any(), value.name
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items()), "the user's own stays"


def test_a_generator_without_says_nothing() -> None:
    assert base_graph(_evaluation(seeded()), [ArtifactSpec("onnx", "fp32", (32, 48))]).warnings == ()


def _evaluation(module: nn.Module) -> Evaluation:
    source = wrap(module, "small", ranges=(SIGNED.input, SIGNED.output), size=(32, 48))
    return Evaluation.prepare(source, EvalSet(("a",), (picture(32, 48),)), Labels("small"))
