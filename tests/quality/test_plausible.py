import numpy as np
import pytest

from pocketlens.images import to_uint8
from pocketlens.quality.plausible import find_fault, is_saturated, likely_ranges
from tests.generators import picture

PHOTO = picture(32, 48)


@pytest.mark.parametrize(
    ("made", "kind", "words"),
    [
        (lambda p: p / 255, "flat", "black"),
        (lambda p: p / 127.5 - 1, "flat", "black"),
        (lambda p: 255 - p / 100, "flat", "white"),
        (lambda p: 120 + p / 100, "flat", "of one shade"),
        (lambda p: (p - 127) * 200, "saturated", "0 or 255"),
        (lambda p: 255.0 - p, "inverted", "bright becomes dark"),
        (lambda p: p * 0.5 + 60, "", ""),
    ],
)
def test_faults_are_named(made, kind: str, words: str) -> None:  # type: ignore[no-untyped-def]
    output = np.clip(made(PHOTO.astype(np.float32)), 0, 255).astype(np.float32)
    fault = find_fault([PHOTO], [output])
    assert (fault.kind if fault else "") == kind
    assert words in (fault.text if fault else "")


def test_an_input_without_contrast_says_nothing() -> None:
    grey = to_uint8(PHOTO * 0.1 + 100)
    assert find_fault([grey], [np.zeros(grey.shape, np.float32)]) is None


def test_ink_that_reaches_black_and_white_is_not_saturated() -> None:
    values = np.where(PHOTO > 120, 1.0, 0.0).astype(np.float32)
    assert find_fault([PHOTO], [values * 255]).kind == "saturated"
    assert not is_saturated(values, (0.0, 1.0)) and is_saturated(values, (0.2, 0.8))


UNIT, SIGNED, PIXELS = (0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)


@pytest.mark.parametrize(
    ("taken", "given"),
    [
        (UNIT, UNIT),
        (SIGNED, SIGNED),
        (PIXELS, PIXELS),
        (UNIT, PIXELS),
        (SIGNED, PIXELS),
        (PIXELS, UNIT),
        (PIXELS, SIGNED),
    ],
)
def test_likely_ranges_are_those_of_training(taken: tuple[float, float], given: tuple[float, float]) -> None:
    """A generator that bends what it was trained on softly, and saturates on anything else."""

    def play(limits: tuple[float, float]) -> np.ndarray:
        values = PHOTO.astype(np.float32) / 255 * (limits[1] - limits[0]) + limits[0]
        unit = (values - taken[0]) / (taken[1] - taken[0])
        bent = (np.tanh(3 * (unit - 0.5)) + 1) / 2
        return (bent * (given[1] - given[0]) + given[0]).astype(np.float32)

    assert likely_ranges(play, PHOTO) == (taken, given)


def test_no_range_is_likely_where_nothing_gives_a_picture() -> None:
    assert likely_ranges(lambda limits: np.zeros(PHOTO.shape, np.float32), PHOTO) is None
    assert likely_ranges(lambda limits: None, PHOTO) is None
