import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pocketlens import images
from pocketlens.images import Picture
from pocketlens.likeness import faces, likeness, structure
from pocketlens.models.photographs import photographs
from pocketlens.models.shipped.cartoon_effect import cartoon


@pytest.fixture(scope="module")
def portrait() -> Picture:
    known = next(photograph for photograph in photographs.table() if photograph.name == "astronaut")
    return images.fill(photographs.load(known), 256, 256)


def test_a_face_is_found_where_it_is(portrait: Picture) -> None:
    (face, *_) = faces(portrait)
    assert face.top < 75 < face.top + face.height
    assert face.left < 145 < face.left + face.width


def test_a_picture_is_like_itself_and_like_its_negative_in_structure(portrait: Picture) -> None:
    same = likeness(portrait, portrait)
    assert same is not None
    assert same.face_found
    assert same.structure == pytest.approx(1, abs=0.03)
    assert structure(portrait, 255 - portrait, faces(portrait)[0]) == pytest.approx(same.structure, abs=0.01)


def test_a_cartoon_keeps_the_person_and_noise_does_not(portrait: Picture) -> None:
    drawn = likeness(portrait, cartoon(portrait))
    noise = likeness(portrait, np.random.default_rng(0).integers(0, 256, portrait.shape, np.uint8))
    assert drawn is not None
    assert noise is not None
    assert drawn.face_found
    assert not noise.face_found
    assert drawn.structure > 0.8
    assert abs(noise.structure) < 0.3


def test_structure_falls_as_a_face_blurs_or_moves(portrait: Picture) -> None:
    face = faces(portrait)[0]
    blurred = images.to_uint8(gaussian_filter(portrait.astype(float), (9, 9, 0)))
    moved = np.roll(portrait, 12, 1)
    slightly = structure(portrait, images.to_uint8(gaussian_filter(portrait.astype(float), (1, 1, 0))), face)
    assert slightly > 0.9
    assert structure(portrait, blurred, face) < slightly - 0.1
    assert structure(portrait, moved, face) < 0.7


def test_no_face_no_likeness() -> None:
    assert likeness(np.full((64, 64, 3), 128, np.uint8), np.zeros((64, 64, 3), np.uint8)) is None
