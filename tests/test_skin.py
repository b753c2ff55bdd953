"""Skin in ten tones: what a filter that is known does to it."""

import itertools

import numpy as np
import pytest

from pocketlens import images
from pocketlens.images import Picture
from pocketlens.pipeline.eval_set import SHIPPED
from pocketlens.skin import MONK, Portrait, gap, shift


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    found = Portrait.of("astronaut", images.read(SHIPPED / "judge/astronaut.jpg"), 192, 192)
    assert found is not None
    return found


def _lighter(picture: Picture) -> Picture:
    return images.to_uint8(picture * 0.8 + 51)


def test_tones_go_from_light_to_dark_and_stay_on_the_skin(portrait: Portrait) -> None:
    pictures = [portrait.in_tone(tone) for tone in MONK]
    means = [picture[portrait.skin].mean() for picture in pictures]
    assert means[0] > 200 and means[9] < 60
    assert all(after < before + 8 for before, after in itertools.pairwise(means))
    far = pictures[9][-20:, :20].astype(int) - portrait.picture[-20:, :20]
    assert np.abs(far).max() < 12


def test_a_filter_that_does_nothing_moves_no_skin(portrait: Portrait) -> None:
    moved = {n: [shift(p := portrait.in_tone(tone), p, portrait.skin)] for n, tone in enumerate(MONK, 1)}
    found = gap(moved)
    assert found.size == found.low == found.high == 0


def test_a_filter_that_lightens_dark_skin_is_found_out(portrait: Portrait) -> None:
    moved = {}
    for number, tone in enumerate(MONK, 1):
        picture = portrait.in_tone(tone)
        moved[number] = [shift(picture, _lighter(picture), portrait.skin)]
    assert moved[10][0].lightness > moved[1][0].lightness + 10
    found = gap(moved)
    assert found.worst == 10 and found.best <= 4
    assert found.low < found.size < found.high and found.low > 8


def test_hue_is_a_distance_with_a_sign(portrait: Portrait) -> None:
    picture = portrait.in_tone(MONK[5])
    redder = images.to_uint8(picture * np.array([1.15, 1.0, 1.0]))
    greener = images.to_uint8(picture * np.array([0.9, 1.0, 1.0]))
    assert shift(picture, redder, portrait.skin).hue < -1 < 1 < shift(picture, greener, portrait.skin).hue


def test_no_face_no_portrait() -> None:
    assert Portrait.of("wall", np.full((90, 90, 3), 140, np.uint8), 64, 64) is None
