"""``train --style``: a painting becomes a filter in seconds, because Magenta's network has learned all painting."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pocketlens import images, quality
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.progress import Progress

if TYPE_CHECKING:
    from pocketlens.models.painter import Painter
    from pocketlens.models.training.magenta import StyleVector

SHEET = "styles.png"
"""The contact sheet, in the output folder."""
ATTRIBUTION = "Magenta, arbitrary image stylization (Ghiasi et al. 2017), Apache-2.0"
_STRENGTHS, _SIDES = (0.4, 0.7, 1.0), (256, 512, 1024)
_OWN_STYLES = 12
"""Photographs whose mean style stands for "no style"."""
PAINT_SIDE = 384
"""The side in pixels of what Magenta's network paints: the filter is compared with it there."""
_CAPTION = 18
_TILE = 256


@dataclass(frozen=True)
class Painting:
    """A style image, and how its style is taken.

    Attributes:
        path: The picture.
        strength: Share of its style, above 0 and at most 1; the rest is that of photographs.
        side: The shorter side in pixels to which it is scaled before it is read, 256 to 4096.
        own_colours: Share of the photograph's own colours, 0 to 1.
    """

    path: Path
    strength: float = 1.0
    side: int = 256
    own_colours: float = 0.0

    @property
    def colours(self) -> tuple[float, float]:
        """The share of the painting's colours, and of the photograph's."""
        return 1 - self.own_colours, self.own_colours

    def check(self) -> None:
        """Check the numbers.

        Raises:
            InputError: One is out of its range.
        """
        for name, value, low, high in (
            ("strength", self.strength, 0.05, 1), ("style size", self.side, 256, 4096),
            ("share of own colours", self.own_colours, 0, 1),
        ):  # fmt: skip
            if not low <= value <= high:
                raise InputError(f"the {name} is {value:g}, expected {low:g} to {high:g}", do="choose one in between")


def style_of(painting: Painting, photographs: Sequence[Picture]) -> "StyleVector":
    """The style of a painting in its strength.

    Raises:
        InputError: The painting cannot be read, or is of one flat colour.
        MissingError: The extra ``style`` is not installed.
    """
    from pocketlens.models.training import magenta

    painting.check()
    try:
        vector = magenta.style_vector(images.read(painting.path), painting.side)
    except InputError as error:
        raise InputError(f"{painting.path}: {error.what}", do=error.do) from error
    return magenta.blended(vector, painting.strength, photographs[:_OWN_STYLES])


def preview_styles(painting: Painting, pictures: Path | None, size: int, output: Path) -> Path:
    """Write a contact sheet: the first evaluation picture as the filter will paint it, and in other strengths and
    sizes.

    Args:
        painting: The style.
        pictures: The folder of photographs whose mean style stands for "no style"; None for those that ship.
        size: Side in pixels at which it is painted.
        output: The folder.

    Returns:
        The path of the sheet.

    Raises:
        InputError: As :func:`style_of`.
        MissingError: The extra ``style`` is not installed.
    """
    from pocketlens.models.training.pictures import read_pictures

    photographs = read_pictures(pictures)
    portrait = read_eval_set(None, size, size).pictures[0]
    shorter = min(images.read(painting.path).shape[:2])
    sides = [side for side in _SIDES if side <= max(_SIDES[0], shorter)]
    others = [replace(painting, strength=strength, side=side) for side in sides for strength in _STRENGTHS]
    first = [tile(portrait, "photograph"), tile(_painted(painting, photographs, portrait), "as chosen")]
    tiles = [
        tile(_painted(other, photographs, portrait), f"strength {other.strength:g}, size {other.side}")
        for other in others
    ]
    columns = len(_STRENGTHS)
    lines = [[*first, np.full_like(first[0], 255)], *(tiles[i : i + columns] for i in range(0, len(tiles), columns))]
    images.write(output / SHEET, np.concatenate([np.concatenate(line, 1) for line in lines], 0))
    return output / SHEET


def painted_filter(
    painting: Painting, shown: Sequence[Picture], evaluated: Sequence[Picture], notify: Progress
) -> tuple["Painter", dict[str, float]]:
    """A filter that paints as Magenta's network does.

    Args:
        painting: The style.
        shown: Photographs whose mean style stands for "no style".
        evaluated: Squares of 384 x 384 pixels; the filter is compared with Magenta's network on them.
        notify: Told about progress.

    Returns:
        The filter, and means over the pictures: ``ssim`` and ``psnr`` in dB, against Magenta's network.

    Raises:
        InputError: As :func:`style_of`.
        MissingError: The extra ``style`` is not installed.
    """
    from pocketlens.converters.ranges import Ranges
    from pocketlens.models.teacher import torch_teacher
    from pocketlens.models.training import magenta

    notify("reading the painting", 0, 2)
    vector = style_of(painting, shown)
    notify("comparing with Magenta's network", 1, 2)
    plain, teacher = torch_teacher(magenta.painter([vector]), Ranges()), magenta.style_teacher(vector)
    scores = [quality.compare(teacher(picture), images.to_uint8(plain(picture))) for picture in evaluated]
    means = {
        "ssim": round(float(np.mean([score.ssim for score in scores])), 4),
        "psnr": round(float(np.mean([score.psnr for score in scores])), 2),
    }
    return magenta.painter([vector], [painting.colours]), means


def _painted(painting: Painting, shown: Sequence[Picture], portrait: Picture) -> Picture:
    from pocketlens.converters.ranges import Ranges
    from pocketlens.models.teacher import torch_teacher
    from pocketlens.models.training import magenta

    module = magenta.painter([style_of(painting, shown)], [painting.colours])
    return images.to_uint8(torch_teacher(module, Ranges())(portrait))


def tile(picture: Picture, caption: str) -> Picture:
    """A picture of a contact sheet, with its caption below."""
    from PIL import Image, ImageDraw

    drawn = Image.new("RGB", (_TILE, _TILE + _CAPTION), "white")
    drawn.paste(Image.fromarray(images.fill(picture, _TILE, _TILE)))
    ImageDraw.Draw(drawn).text((4, _TILE + 3), caption, fill="black")
    return np.asarray(drawn)
