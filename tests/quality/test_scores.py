"""Scores against values that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens import quality


def test_known_values() -> None:
    a = np.full((16, 16, 3), 100, np.uint8)
    same = quality.compare(a, a)
    assert (same.psnr, same.ssim, same.largest_error) == (quality.EQUAL_PSNR, 1.0, 0.0)
    assert quality.psnr(a, a + 1) == pytest.approx(20 * np.log10(255))
    assert quality.largest_error(a, a + 7) == 7


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 60))
def test_more_noise_scores_lower(seed: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    a = rng.uniform(0, 255, (24, 24, 3)).astype(np.float32)
    noise = rng.standard_normal(a.shape).astype(np.float32)
    near, far = quality.compare(a, a + sigma * noise), quality.compare(a, a + 2 * sigma * noise)
    assert near.psnr == pytest.approx(far.psnr + 20 * np.log10(2), abs=0.01)
    assert near.ssim > far.ssim


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (6, 6), (6, 40), (7, 7)])
def test_pictures_smaller_than_a_window_have_scores(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    a = rng.uniform(60, 200, (*size, 3)).astype(np.float32)
    assert quality.compare(a, a).ssim == 1
    near, far = (quality.ssim(a, a + rng.standard_normal(a.shape) * sigma) for sigma in (1, 50))
    assert 1 > near > 0.95 > far


def test_nan_counts_as_wrong() -> None:
    a = np.full((16, 16, 3), 100, np.float32)
    b = a.copy()
    b[3, 3, 1] = np.nan
    assert quality.largest_error(a, b) == 255
    assert quality.psnr(a, b) < 40


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        quality.psnr(np.zeros((8, 8, 3), np.float32), np.zeros((8, 9, 3), np.float32))
