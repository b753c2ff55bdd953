"""What trainings look at: pieces of pictures in many scales and colours, drawn shapes, and whole pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from pocketlens import images
from pocketlens.images import Picture
from pocketlens.models.shipped import photographs, samples

_DRAWN, _MIXED = 0.08, 0.12
"""The share of inputs that are drawn, and that are a mixture of two pieces."""
_LARGEST = 1024
"""Pictures are kept at no more than this in memory; training sizes are far below."""


def read(folder: Path | None) -> list[Picture]:
    """The pictures of a folder, or, without one, the freely licensed photographs that training may use.

    Raises:
        InputError: The folder is absent or holds no picture, or one cannot be read.
    """
    if folder is None:
        return [photographs.load(known) for known in photographs.table() if known.use != "judge"]
    return [smaller(images.read(path)) for path in images.folder(folder)]


def smaller(picture: Picture) -> Picture:
    """A picture in the size that is kept in memory, if it is larger."""
    largest = max(picture.shape[:2])
    if largest <= _LARGEST:
        return picture
    height, width = (max(1, round(edge * _LARGEST / largest)) for edge in picture.shape[:2])
    return images.resize(picture, height, width)


def draw(pictures: Sequence[Picture], side: int, random: np.random.Generator) -> Picture:
    """One training input, ``uint8 [side, side, 3]``: mostly a piece of a picture, now and then a mixture or drawn shapes."""
    kind = random.random()
    if kind < _DRAWN:
        made = samples.leaves(side, random).astype(np.float32)
        return images.to_uint8(gaussian_filter(made, (*[random.uniform(0, 2)] * 2, 0)))
    piece = _piece(pictures, side, random)
    if kind < _DRAWN + _MIXED:
        share = random.uniform(0.3, 0.7)
        other = _piece(pictures, side, random)
        return images.to_uint8(share * piece.astype(np.float32) + (1 - share) * other.astype(np.float32))
    return piece


def _piece(pictures: Sequence[Picture], side: int, random: np.random.Generator) -> Picture:
    picture = pictures[int(random.integers(len(pictures)))]
    height, width = picture.shape[:2]
    if min(height, width) < side:
        factor = side / min(height, width)
        picture = images.resize(picture, max(side, round(height * factor)), max(side, round(width * factor)))
    piece = samples.piece(picture, side, random)
    return np.ascontiguousarray(piece[:, ::-1]) if random.random() < 0.5 else piece


def crop(pictures: Sequence[Picture], side: int, random: np.random.Generator) -> Picture:
    """A square of a picture in a random scale, ``uint8 [side, side, 3]``, mirrored at random, in its own colours."""
    picture = pictures[int(random.integers(len(pictures)))]
    shorter = min(picture.shape[:2])
    cut = int(random.uniform(min(side, shorter), shorter + 1))
    top, left = (int(random.integers(edge - cut + 1)) for edge in picture.shape[:2])
    piece = images.resize(np.ascontiguousarray(picture[top : top + cut, left : left + cut]), side, side)
    return np.ascontiguousarray(piece[:, ::-1]) if random.random() < 0.5 else piece
