"""Tables of few values."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.converters.weight_quantization.kmeans import kmeans_1d


@settings(max_examples=25)
@given(st.integers(0, 2**16), st.sampled_from([2, 4, 16, 64]))
def test_a_palette_is_sorted_and_beats_even_steps(seed: int, count: int) -> None:
    values = np.random.default_rng(seed).standard_normal(5000).astype(np.float32)
    made, even = kmeans_1d(values, count), np.linspace(values.min(), values.max(), count)
    assert (np.diff(made) >= 0).all()

    def loss(table: np.ndarray) -> float:
        return float(np.square(table[np.searchsorted((table[1:] + table[:-1]) / 2, values)] - values).mean())

    assert loss(made) <= loss(even)
