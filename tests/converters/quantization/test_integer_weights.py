"""Weights of layers that read rounded values are integers again, the ones that the other tool had chosen."""

import numpy as np
import pytest

from pocketlens.converters.quantization.integer_weights import quantize_weights_of_rounded
from pocketlens.converters.quantization.plan import default_plan, is_quantized
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.targets import TARGETS, QuantizerPlacement
from tests.converters.graph_builder import GraphBuilder, run
from tests.generators import picture

CHW = (1, 3, 8, 8)


def _net() -> tuple[GraphBuilder, np.ndarray, np.ndarray]:
    """A convolution that reads steps, with weights that are steps as floats, and one that reads floats."""
    g = GraphBuilder(CHW)
    scale, zero = g.array(np.float32(0.5)), g.array(3, np.uint8)
    integers = g.rng.integers(-126, 127, (4, 3, 3, 3)).astype(np.int8)
    integers[:, 0, 0, 0] = 127
    steps = np.array([0.01, 0.02, 0.003, 0.04], np.float32)
    weights = g.array(integers * steps.reshape(4, 1, 1, 1))
    rounded = g.add("DequantizeLinear", g.add("QuantizeLinear", "x", scale, zero), scale, zero)
    g.add("Conv", g.add("Conv", rounded, weights, g.array(steps * 300)), g.random(2, 4, 1, 1))
    return g, integers, steps


@pytest.mark.parametrize("biases", [False, True])
def test_the_same_integers(biases: bool) -> None:
    g, integers, _ = _net()
    model, shown = g.model(), {"x": g.rng.uniform(0, 60, CHW).astype(np.float32)}
    expected = run(model, shown)[0]
    assert is_quantized(model)
    assert quantize_weights_of_rounded(model, QuantizerPlacement(biases=biases)) == 1
    stored = {value.const_value.dtype.name: value.const_value.numpy() for value in model.graph.initializers.values()}
    assert np.array_equal(stored["INT8"], integers)
    assert ("INT32" in stored) == biases
    if biases:
        assert np.array_equal(stored["INT32"], np.full(4, 600))
    np.testing.assert_allclose(run(model, shown)[0], expected, rtol=1e-5, atol=1e-4)


def test_a_quantized_graph_is_taken_with_its_scales() -> None:
    g, _, _ = _net()
    g.add("Concat", g.last, g.last, axis=1)
    made = quantize(g.model(), default_plan("int8"), [picture(8, 8)], TARGETS["coreml"].quantizers)
    kinds = [node.op_type for node in made.graph]
    assert kinds.count("QuantizeLinear") == 1 and kinds.count("DequantizeLinear") == 2
