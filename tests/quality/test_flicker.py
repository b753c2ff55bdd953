"""Flicker against clips whose flicker is known."""

import numpy as np
import pytest

from pocketlens.quality import Flicker, flicker, worst_region
from tests.generators import picture


def moving(count: int) -> list[np.ndarray]:
    wide = picture(24, 64).astype(np.float32)
    return [wide[:, 2 * i : 2 * i + 32] for i in range(count)]


def test_the_same_clip_and_a_constant_tint_do_not_flicker() -> None:
    clip = moving(5)
    assert flicker(clip, clip) == Flicker(0.0, 0.0, 1)
    assert flicker(clip, [np.clip(f + 7, 0, 255) for f in clip]).worst < 0.5
    assert flicker(clip, [0.5 * f + 50 for f in clip]).worst == 0


def test_noise_on_a_still_clip_has_its_known_flicker() -> None:
    rng = np.random.default_rng(0)
    still = [np.full((64, 64, 3), 128, np.float32)] * 6
    noisy = flicker(still, [f + rng.normal(0, 5, f.shape) for f in still])
    # Two independent normal values differ by 2 sigma / sqrt(pi) on average.
    assert noisy.mean == pytest.approx(2 * 5 / np.sqrt(np.pi), rel=0.02)
    assert noisy.worst >= noisy.mean


def test_more_flicker_scores_higher_also_where_the_teacher_moves() -> None:
    rng = np.random.default_rng(1)
    clip = moving(6)
    noise = [rng.normal(0, 1, f.shape) for f in clip]
    means = [flicker(clip, [f + k * n for f, n in zip(clip, noise, strict=True)]).mean for k in (0, 1, 2, 4)]
    assert means == sorted(means)
    assert means[1] > 0


def test_the_worst_pair_is_named_and_bytes_do_not_wrap() -> None:
    still = [np.full((8, 8, 3), 10, np.uint8)] * 4
    frames = [*still[:2], still[0] - np.uint8(6), still[0]]
    assert flicker(still, frames) == Flicker(6.0, 4.0, 2)


def test_clips_must_agree() -> None:
    clip = moving(3)
    with pytest.raises(ValueError, match="zip"):
        flicker(clip, clip[:2])
    with pytest.raises(ValueError, match="different shapes"):
        flicker(clip, [f[:8] for f in clip])


def test_one_frame_has_no_flicker() -> None:
    assert flicker(moving(1), moving(1)) == Flicker(0.0, 0.0, 0)


def test_the_worst_region_is_found() -> None:
    a = picture(80, 96)
    b = a.astype(np.float32)
    b[30:36, 70:80] += 40
    region = worst_region(a, b)
    assert (region.height, region.width) == (10, 12)
    assert region.top <= 30 and region.top + region.height >= 36
    assert region.left <= 70 and region.left + region.width >= 80
    assert worst_region(a, a).error == 0
