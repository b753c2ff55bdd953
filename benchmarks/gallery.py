"""Draw docs/gallery.jpg, five portraits, beside each the filters cartoon and starry and the six styles of gallery, and
docs/six-styles.jpg, one portrait in the six styles.

    python -m benchmarks.gallery

The portraits are two persons whom no training saw in these colours: in their own, and recoloured to tones of the Monk
scale, as benchmarks.skin does.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.color import rgb2lab

from benchmarks.skin import MONK, player, portrait, recoloured, skin
from pocketlens import images
from pocketlens.images import Picture
from pocketlens.models.photographs import photographs

SHOWN = (("astronaut", 0), ("astronaut", 6), ("astronaut", 9), ("hopper", 0), ("hopper", 8))
"""Portraits, and their tone in the Monk scale; 0 for their own."""
STYLES = ("starry", "wave", "composition", "cartoon", "ink", "oil")
SIDE, TILE = 384, 168
TABLE, STRIP = Path("docs/gallery.jpg"), Path("docs/six-styles.jpg")


def shown(name: str, tone: int) -> Picture:
    picture, face = portrait(name)
    return recoloured(picture, face, skin(rgb2lab(picture), face), MONK[tone - 1]) if tone else picture


def row(picture: Picture, side: int, today: Sequence[str] = ()) -> Picture:
    large = images.resize(picture, SIDE, SIDE)
    tiles = [
        picture,
        *(player(name)(picture) for name in today),
        *(player("gallery", style)(large) for style in STYLES),
    ]
    return np.concatenate([images.resize(tile, side, side) for tile in tiles], 1)


def write(picture: Picture, path: Path) -> None:
    Image.fromarray(picture).save(path, quality=82, optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")


def main() -> None:
    rows = [row(shown(name, tone), TILE, ("cartoon", "starry")) for name, tone in SHOWN]
    write(np.concatenate(rows, 0), TABLE)
    portrait_of = next(photograph for photograph in photographs.table() if photograph.name == "astronaut")
    write(row(images.fill(photographs.load(portrait_of), SIDE, SIDE), 2 * TILE - 80), STRIP)


if __name__ == "__main__":
    main()
