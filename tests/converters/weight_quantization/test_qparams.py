"""Scales and look-up tables lose as little as they can."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.converters.quantized_weights import (
    AffineQuantizedWeights,
)
from pocketlens.converters.weight_quantization.qparams import choose_lut, choose_qparams_mse


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
