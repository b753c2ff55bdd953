"""LayerNormalization gets the form that every emitter takes."""

import pytest

from pocketlens.converters.rewrites.decompose_layer_norm import DecomposeLayerNorm
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
@pytest.mark.parametrize("bias", [False, True])
def test_layer_norms_are_spelled_out(axis: int, bias: bool) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    shape = (1, 4, 6, 7)[axis:]
    inputs = [builder.random(*shape), *([builder.random(*shape)] if bias else [])]
    builder.add("LayerNormalization", "x", *inputs, axis=axis, epsilon=1e-3)
    found = check_passes(builder.model(), DecomposeLayerNorm)
    assert found["LayerNormalization"] == 0
    assert found["InstanceNormalization"] == (axis in (1, 2))
