import numpy as np
import pytest

from pocketlens.models.shipped import painting
from pocketlens.models.shipped.brush_effects import ink, oil
from pocketlens.models.shipped.flow import along, flow
from pocketlens.models.shipped.painting_effect import paint, starry


def strokes(width: int, colours: tuple[tuple[int, int, int], ...], side: int = 96) -> np.ndarray:
    """Upright strokes of two colours in turns, with a little grain."""
    which = (np.arange(side) // width) % 2
    picture = np.broadcast_to(np.array(colours, np.float64)[which][None], (side, side, 3))
    return np.clip(picture + np.random.default_rng(0).normal(0, 2, (side, side, 1)), 0, 255).astype(np.uint8)


BLUE_AND_YELLOW = ((30, 50, 120), (220, 200, 90))


def test_wide_strokes_are_measured_wider_and_all_are_longer_than_wide() -> None:
    thin, thick = (painting.measure(strokes(width, BLUE_AND_YELLOW)) for width in (3, 6))
    assert 1.5 * thin.width < thick.width < 3 * thin.width
    for look in (thin, thick):
        assert look.length > 4 * look.width and look.contrast > 15
        assert look.slants[1] > 0.5  # what is lighter is yellower
        assert abs(sum(look.shares) - 1) < 0.01 and len(look.colours) == len(look.shares)
        assert [c[0] for c in look.colours] == sorted(c[0] for c in look.colours)
        assert look.tones[4][1] < -15 and look.tones[16][1] > 15


def test_the_same_painting_gives_the_same_look_and_reads_back(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from pocketlens import images

    images.write(tmp_path / "painting.png", np.pad(strokes(4, BLUE_AND_YELLOW), ((5, 5), (5, 5), (0, 0))))
    argv = ["painting", str(tmp_path / "painting.png"), "--frame", "5", "-o", str(tmp_path / "look.json")]
    monkeypatch.setattr("sys.argv", argv)
    painting.main()
    assert painting.read(tmp_path / "look.json") == painting.measure(strokes(4, BLUE_AND_YELLOW))


def test_a_grey_picture_takes_the_paintings_colours_by_its_lightness() -> None:
    look = painting.measure(strokes(4, BLUE_AND_YELLOW))
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 24, 0).repeat(3, 2)
    drawn = paint(ramp, look).astype(int)
    dark, light = drawn[:, 8:20].mean((0, 1)), drawn[:, 48:60].mean((0, 1))
    assert dark[2] > dark[0] + 20 and light[0] > light[2] + 20
    assert light.mean() > dark.mean() + 60  # and keeps its light and shade


@pytest.mark.parametrize("effect", [starry, ink, oil])
def test_effects_do_not_depend_on_where_a_point_is(effect) -> None:  # type: ignore[no-untyped-def]
    picture = np.random.default_rng(0).integers(60, 200, (96, 120, 3), dtype=np.uint8)
    whole, part = effect(picture).astype(int), effect(np.ascontiguousarray(picture[:, 12:])).astype(int)
    assert np.abs(whole[40:56, 60:72] - part[40:56, 48:60]).max() <= 1
    flat = effect(np.full((40, 40, 3), 128, np.uint8)).astype(int)
    assert np.ptp(flat.reshape(-1, 3), axis=0).max() <= 3


def test_starry_makes_strokes_along_edges() -> None:
    random = np.random.default_rng(0)
    rows = np.clip(128 + 60 * np.sin(np.arange(96) / 7)[:, None] + random.normal(0, 6, (96, 96)), 0, 255)
    drawn = starry(np.repeat(rows[..., None].astype(np.uint8), 3, 2)).astype(float).mean(-1)
    down, right = (np.abs(np.diff(drawn, axis=axis)).mean() for axis in (0, 1))
    assert down > 2 * right


def test_averages_follow_the_flow() -> None:
    stripes = np.repeat((100.0 * ((np.arange(48) // 4) % 2))[:, None], 48, 1).astype(np.float32)
    vectors = flow(stripes)
    assert np.abs(vectors[1][8:-8, 8:-8]).mean() > 0.95  # to the right, along the stripes
    noisy = stripes + np.random.default_rng(0).normal(0, 10, stripes.shape).astype(np.float32)
    averaged = along(noisy[None], vectors, 9)[0]
    assert np.abs(averaged - stripes).mean() < 0.55 * np.abs(noisy - stripes).mean()


@pytest.mark.parametrize(
    ("side", "frame", "says"), [(200, 90, "20 x 20"), (96, 0, "96 x 96"), (0, 0, "does not exist")]
)
def test_a_picture_that_is_no_painting_is_refused_in_words(side, frame, says, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    from pocketlens import images

    if side:
        images.write(tmp_path / "p.png", np.full((side, side, 3), 90, np.uint8))
    monkeypatch.setattr(
        "sys.argv", ["x", str(tmp_path / "p.png"), "--frame", str(frame), "-o", str(tmp_path / "l.json")]
    )
    with pytest.raises(SystemExit):
        painting.main()
    assert says in capsys.readouterr().err
    assert not (tmp_path / "l.json").exists()
