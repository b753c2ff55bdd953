import os

import numpy as np
import pytest
from PIL import Image

from pocketlens.images import Picture
from pocketlens.runtimes.scaling import _ROOM, scale, scale_into
from tests.generators import picture

SIZES = [
    ((150, 200), (80, 96)),
    ((64, 64), (150, 200)),
    ((90, 121), (24, 20)),
    ((37, 50), (6, 400)),
    ((2, 3), (1, 1)),
    ((64, 40), (135, 48)),
]


def exact(image: Picture, height: int, width: int) -> np.ndarray:
    """The same kernel in float64, one position after the other, without a rounding between."""
    values = image.astype(np.float64)
    for axis, after in enumerate((height, width)):
        ratio = values.shape[axis] / after
        moved = np.moveaxis(values, axis, 0)
        rows = []
        for center in (np.arange(after) + 0.5) * ratio:
            x = np.abs(np.arange(len(moved)) + 0.5 - center) / max(ratio, 1)
            weights = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2) * (x < 2)
            used = np.flatnonzero(weights)
            rows.append(np.tensordot(weights[used] / weights.sum(), moved[used], 1))
        values = np.moveaxis(np.array(rows), 0, axis)
    return np.clip(values, 0, 255)


@pytest.mark.parametrize(("before", "after"), SIZES)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_it_is_exact_scaling_rounded_once(before: tuple[int, int], after: tuple[int, int], channels: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*before, channels), dtype=np.uint8)
    wanted = exact(image, *after)
    scaled = scale(image, *after)
    assert np.abs(scaled - wanted).max() <= 0.501
    assert np.array_equal(scale(image, *after, threads=2), scaled)
    floats = np.empty((*after, channels), np.float32)
    scale_into(floats, image)
    assert np.abs(np.clip(floats, 0, 255) - wanted).max() <= 0.001


@pytest.mark.parametrize(("before", "after"), SIZES[:2])
def test_it_is_closer_to_exact_scaling_than_pillow(before: tuple[int, int], after: tuple[int, int]) -> None:
    image = picture(*before)
    pillow = np.array(Image.fromarray(image).resize(after[::-1], Image.Resampling.BICUBIC))
    wanted = exact(image, *after)
    errors = [np.square(scaled - wanted).mean() for scaled in (scale(image, *after), pillow)]
    assert errors[0] <= errors[1]


def test_a_part_of_a_picture_is_scaled_where_it_lies() -> None:
    image = picture(90, 120)
    part = image[10:70, 20:100, ::-1]
    assert not part.flags.c_contiguous
    assert np.array_equal(scale(part, 31, 47), scale(np.ascontiguousarray(part), 31, 47))


@pytest.mark.parametrize("sizes", [((480, 640, 3), (256, 256)), ((256, 256, 3), (480, 640))])
def test_a_thread_takes_few_calls(sizes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """Threads of Python wait for each other at each call of numpy: with hundreds, two were slower than one."""
    assert len(_ROOM.plan(*sizes, True, 0, 2)) <= 12


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_has_threads_of_its_own() -> None:
    image = picture(200, 200)
    wanted = scale(image, 100, 100, threads=2)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(scale(image, 100, 100, threads=2), wanted) else 1)
    assert os.waitpid(child, 0)[1] == 0
