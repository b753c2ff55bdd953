import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from pocketlens.images import Picture
from pocketlens.runtimes.rows import at_once
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
    assert np.abs(floats - wanted).max() <= 0.001


def test_floats_are_clamped_before_they_are_scaled() -> None:
    image = np.random.default_rng(2).uniform(-90, 400, (60, 80, 3)).astype(np.float32)
    image[30, 40] = np.nan
    wanted = exact(np.clip(np.nan_to_num(image), 0, 255), 24, 90)
    assert np.abs(scale(image, 24, 90) - wanted).max() <= 0.501
    assert np.array_equal(scale(image, 24, 90, threads=2), scale(image, 24, 90))
    assert scale(image, 60, 80).dtype == np.uint8


def test_what_a_thread_raises_reaches_the_one_that_asks() -> None:
    def fail() -> None:
        raise ValueError("part 1")

    done: list[int] = []
    for _ in range(3):
        with pytest.raises(ValueError, match="part 1"):
            at_once([lambda: done.append(0), fail])
    at_once([lambda: done.append(0), lambda: done.append(1)])
    assert sorted(done) == [0, 0, 0, 0, 1]


def test_threads_that_scale_at_the_same_time_have_helpers_of_their_own() -> None:
    images = [picture(90 + i, 121) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: [scale(image, 64, 200, threads=3) for _ in range(20)], images))
    for image, scaled in zip(images, found, strict=True):
        assert all(np.array_equal(one, scale(image, 64, 200)) for one in scaled)


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
    for bytes_in, bytes_out in ((True, False), (False, True)):
        assert len(_ROOM.plan(*sizes, bytes_in, bytes_out, 0, 2)) <= 13


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_has_threads_of_its_own() -> None:
    image = picture(200, 200)
    wanted = scale(image, 100, 100, threads=2)
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(scale(image, 100, 100, threads=2), wanted) else 1)
    assert os.waitpid(child, 0)[1] == 0
