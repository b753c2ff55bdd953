"""Draw docs/gallery.jpg, five portraits, beside each the filters cartoon and starry and the six styles of gallery, and
docs/six-styles.jpg, one portrait in the six styles.

    python -m benchmarks.gallery

The portraits are two persons, in their own colours and recoloured to tones of the Monk scale, as benchmarks.skin does.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.skin import player, portrait
from pocketlens import images
from pocketlens.images import Picture
from pocketlens.models.photographs import photographs
from pocketlens.skin import MONK

SHOWN = (
    ("astronaut", 0, "light, her own"), ("hopper", 0, "light, her own"), ("astronaut", 6, "medium, tone 6"),
    ("hopper", 8, "dark, tone 8"), ("astronaut", 9, "dark, tone 9"),
)  # fmt: skip
"""Portraits, their tone in the Monk scale, 0 for their own, and a caption."""
TODAY = ("cartoon", "starry")
STYLES = ("starry", "wave", "composition", "cartoon", "ink", "oil")
SIDE, TILE, CAPTION = 384, 168, 15
TABLE, STRIP = Path("docs/gallery.jpg"), Path("docs/six-styles.jpg")


def shown(name: str, tone: int) -> Picture:
    person = portrait(name)
    return person.in_tone(MONK[tone - 1]) if tone else person.picture


def row(picture: Picture, side: int, today: Sequence[str] = ()) -> Picture:
    large = images.resize(picture, SIDE, SIDE)
    tiles = [
        picture,
        *(player(name)(picture) for name in today),
        *(player("gallery", style)(large) for style in STYLES),
    ]
    return np.concatenate([images.resize(tile, side, side) for tile in tiles], 1)


def captions(texts: Sequence[str]) -> Picture:
    """A line of text for each tile of a row, dark on white."""
    line = Image.new("RGB", (TILE * len(texts), CAPTION), "white")
    for column, text in enumerate(texts):
        ImageDraw.Draw(line).text((column * TILE + 4, 1), text, fill="black")
    return np.asarray(line)


def write(picture: Picture, path: Path) -> None:
    Image.fromarray(picture).save(path, quality=82, optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")


def main() -> None:
    titles = [*(f"the filter {name}" for name in TODAY), *(f"gallery: {style}" for style in STYLES)]
    parts = []
    for name, tone, caption in SHOWN:
        parts += [captions([caption, *titles]), row(shown(name, tone), TILE, TODAY)]
    write(np.concatenate(parts, 0), TABLE)
    portrait_of = next(photograph for photograph in photographs.table() if photograph.name == "astronaut")
    write(row(images.fill(photographs.load(portrait_of), SIDE, SIDE), 2 * TILE - 80), STRIP)


if __name__ == "__main__":
    main()
