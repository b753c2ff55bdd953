"""Scales and tables, and how the graph holds them."""

import numpy as np
import onnx_ir as ir
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.converters import graph as hub
from pocketlens.converters.coreml.weights import pack_indices
from pocketlens.converters.quantized_weights import (
    AffineQuantizedWeights,
    LutWeights,
    choose_lut,
    choose_qparams_mse,
    quantized_weights_of,
)
from pocketlens.converters.weight_quantization.quantize import quantize_weights
from tests.generators import small_graph


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
