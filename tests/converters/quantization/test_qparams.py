"""Scales and zero points."""

import numpy as np

from pocketlens.converters.quantization.qparams import (
    choose_qparams_absmax,
    quantize_affine,
)


def test_pairs_of_weights_fit_sixteen_bits() -> None:
    weight = np.random.default_rng(0).normal(0, 1, (5, 6, 3, 3)).astype(np.float32)
    scale = choose_qparams_absmax(weight, 0, pair_sums=True)
    integers = quantize_affine(weight, scale, 0).transpose(0, 2, 3, 1).reshape(5, -1, 2).astype(int)
    assert np.abs(integers.sum(2)).max() <= 129
    assert (scale >= choose_qparams_absmax(weight, 0, pair_sums=False)).all()
