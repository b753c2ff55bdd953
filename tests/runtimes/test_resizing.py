import numpy as np
import pytest

from pocketlens.images import Picture
from pocketlens.runtimes.resizing import stylize_resized
from pocketlens.runtimes.scaling import scale
from tests.generators import picture

SIZE = (32, 48)


def same(image: Picture, height: int, width: int) -> Picture:
    return scale(scale(image, *SIZE), height, width)


@pytest.mark.parametrize("shape", [(100, 100), (33, 200), (20, 20), (31, 49), (5, 300), (128, 192)])
@pytest.mark.parametrize("resize", ["stretch", "fit", "tile"])
def test_the_size_is_kept(shape: tuple[int, int], resize: str) -> None:
    assert stylize_resized(same, SIZE, picture(*shape), resize).shape == (*shape, 3)


@pytest.mark.parametrize("shape", [(100, 100), (33, 200), (128, 192)])
def test_tiles_lose_nothing_and_show_no_seam(shape: tuple[int, int]) -> None:
    assert np.array_equal(stylize_resized(same, SIZE, picture(*shape), "tile"), picture(*shape))
    turn = iter(range(1000))

    def uneven(image: Picture, height: int, width: int) -> Picture:  # each tile comes out in another brightness
        assert image.shape == (*SIZE, 3)
        return np.full((height, width, 3), 100 + 20 * (next(turn) % 2), np.uint8)

    stylized = stylize_resized(uneven, SIZE, picture(*shape), "tile").astype(int)
    assert np.abs(np.diff(stylized, axis=0)).max() <= 6
    assert np.abs(np.diff(stylized, axis=1)).max() <= 6


def test_crop_gives_the_middle_and_fit_keeps_the_shape() -> None:
    image = picture(64, 200)
    assert stylize_resized(same, SIZE, image, "crop").shape == (64, 96, 3)
    square = np.zeros((100, 100, 3), np.uint8)
    square[25:75, 25:75] = 255
    seen: list[Picture] = []
    stylize_resized(lambda part, *size: (seen.append(part), same(part, *size))[1], SIZE, square, "fit")
    assert seen[0].shape == (*SIZE, 3)
    bright = seen[0][..., 0] > 127
    assert bright.any(1).sum() == bright.any(0).sum()
