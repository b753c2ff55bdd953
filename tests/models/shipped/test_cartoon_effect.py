import numpy as np
import pytest

from pocketlens.models.shipped.cartoon_effect import CartoonLook, cartoon


@pytest.mark.parametrize("value", [0, 30, 128, 255])
def test_flat_pictures_stay_flat_and_grey(value: int) -> None:
    drawn = cartoon(np.full((24, 40, 3), value, np.uint8))
    assert drawn.shape == (24, 40, 3) and drawn.dtype == np.uint8
    assert np.ptp(drawn.astype(int)) <= 3
    assert abs(int(drawn.mean()) - value) < 25  # half a step of lightness


def test_noise_is_smoothed_and_edges_stay() -> None:
    picture = np.full((48, 48, 3), 90, np.uint8)
    picture[:, 24:] = 200
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    drawn = cartoon(noisy)
    assert drawn[10:-10, 4:16].std() < 0.5 * noisy[10:-10, 4:16].std()
    assert int(drawn[24, 40, 0]) - int(drawn[24, 8, 0]) > 90


def test_dark_sides_of_edges_get_ink() -> None:
    picture = np.full((48, 48, 3), 110, np.uint8)
    picture[:, 24:] = 220
    drawn = cartoon(picture).astype(int)[24, :, 0]
    assert drawn[22:24].min() < drawn[5] - 30
    assert drawn[25:28].min() > drawn[5]
    without = cartoon(picture, CartoonLook(ink=0.0)).astype(int)[24, :, 0]
    assert without[22:24].min() > drawn[22:24].min() + 30


def test_lightness_has_few_steps() -> None:
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 32, 0).repeat(3, 2)
    stepped, smooth = (
        np.diff(cartoon(ramp, CartoonLook(softness=s, ink=0.0))[16, :, 0].astype(int)) for s in (1.0, 0.0)
    )
    # Flat middles and steep risers, instead of one even slope.
    assert (stepped == 0).sum() > 2 * (smooth == 0).sum()
    assert stepped.max() > smooth.max()


def test_mirrored_pictures_give_mirrored_drawings() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    difference = cartoon(picture[:, ::-1])[:, ::-1].astype(int) - cartoon(picture)
    assert np.abs(difference).mean() < 0.1
