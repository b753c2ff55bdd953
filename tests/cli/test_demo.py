"""``pocketlens demo``."""

import numpy as np

from pocketlens import images
from pocketlens.cli.demo import styles_strip
from pocketlens.pipeline.eval_set import SHIPPED


def test_the_strip_shows_the_portrait_and_six_styles_that_differ() -> None:
    strip = styles_strip(images.read(images.folder(SHIPPED / "judge")[0]), 64)
    assert strip.shape == (64, 7 * 64, 3)
    tiles = np.split(strip.astype(int), 7, 1)
    apart = [np.abs(one - other).mean() for index, one in enumerate(tiles) for other in tiles[:index]]
    assert min(apart) > 5
