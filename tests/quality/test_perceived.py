"""FLIP against what it promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.quality import compare, flip, flip_map
from tests.generators import picture


def test_nothing_is_seen_between_equal_pictures() -> None:
    a = picture(32, 40)
    assert flip(a, a) == 0
    assert compare(a, a).flip == 0


def test_black_and_white_differ_wholly() -> None:
    black = np.zeros((48, 48, 3), np.uint8)
    assert flip(black, black + np.uint8(255)) == pytest.approx(1, abs=0.1)


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.floats(1, 30))
def test_more_noise_is_seen_more_and_either_way_round(seed: int, sigma: float) -> None:
    a = picture(32, 32, seed).astype(np.float32)
    noise = np.random.default_rng(seed).standard_normal(a.shape).astype(np.float32)
    near, far = (np.clip(a + k * sigma * noise, 0, 255) for k in (1, 2))
    assert 0 < flip(a, near) < flip(a, far) < 1
    assert flip(near, a) == pytest.approx(flip(a, near), abs=1e-4)


def test_the_map_shows_where() -> None:
    a = picture(64, 64)
    b = a.copy()
    b[8:16, 40:56] = 255 - b[8:16, 40:56]
    errors = flip_map(a, b)
    assert errors.shape == (64, 64)
    assert errors.dtype == np.float32
    assert 8 <= np.unravel_index(errors.argmax(), errors.shape)[0] < 16
    assert errors[40:, :24].max() < 0.05


def test_not_a_number_and_wrong_shapes() -> None:
    a = picture(16, 16).astype(np.float32)
    b = a.copy()
    b[:8] = np.nan
    assert flip(a, b) > 0.1
    with pytest.raises(ValueError, match="different shapes"):
        flip(a, a[:8])
