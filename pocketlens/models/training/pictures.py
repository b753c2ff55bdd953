"""The pictures of trainings: crops of photographs in many scales and colours, and drawn shapes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from pocketlens import images
from pocketlens.images import Picture
from pocketlens.models.photographs import photographs, samples

_DRAWN, _MIXED = 0.08, 0.12
"""The share of inputs that are drawn, and that are a mixture of two crops."""
_LARGEST = 1024
"""Pictures are kept at no more than this in memory; training sizes are far below."""


def read_pictures(folder: Path | None) -> list[Picture]:
    """The pictures of a folder, or, without one, the freely licensed photographs that training may use.

    Raises:
        InputError: The folder is absent or holds no picture, or one cannot be read.
    """
    if folder is None:
        return [photographs.load(photograph) for photograph in photographs.table() if photograph.use != "judge"]
    return [limit_size(images.read(path)) for path in images.folder(folder)]


def limit_size(picture: Picture) -> Picture:
    """A picture, reduced to the size that is kept in memory if it is larger."""
    largest = max(picture.shape[:2])
    if largest <= _LARGEST:
        return picture
    height, width = (max(1, round(edge * _LARGEST / largest)) for edge in picture.shape[:2])
    return images.resize(picture, height, width)


def draw_sample(pictures: Sequence[Picture], side: int, random: np.random.Generator) -> Picture:
    """One training input, ``uint8 [side, side, 3]``: mostly a crop of a picture, now and then a mixture of two or drawn
    shapes.
    """
    kind = random.random()
    if kind < _DRAWN:
        shapes = samples.leaves(side, random).astype(np.float32)
        return images.to_uint8(gaussian_filter(shapes, (*[random.uniform(0, 2)] * 2, 0)))
    crop = _augmented_crop(pictures, side, random)
    if kind < _DRAWN + _MIXED:
        share = random.uniform(0.3, 0.7)
        other = _augmented_crop(pictures, side, random)
        return images.to_uint8(share * crop.astype(np.float32) + (1 - share) * other.astype(np.float32))
    return crop


def _augmented_crop(pictures: Sequence[Picture], side: int, random: np.random.Generator) -> Picture:
    picture = pictures[int(random.integers(len(pictures)))]
    height, width = picture.shape[:2]
    if min(height, width) < side:
        factor = side / min(height, width)
        picture = images.resize(picture, max(side, round(height * factor)), max(side, round(width * factor)))
    crop = samples.augmented_crop(picture, side, random)
    return np.ascontiguousarray(crop[:, ::-1]) if random.random() < 0.5 else crop


def random_crop(pictures: Sequence[Picture], side: int, random: np.random.Generator) -> Picture:
    """A square of a picture in a random scale, ``uint8 [side, side, 3]``, mirrored at random, in its own colours."""
    picture = pictures[int(random.integers(len(pictures)))]
    shorter = min(picture.shape[:2])
    cut = int(random.uniform(min(side, shorter), shorter + 1))
    top, left = (int(random.integers(edge - cut + 1)) for edge in picture.shape[:2])
    crop = images.resize(np.ascontiguousarray(picture[top : top + cut, left : left + cut]), side, side)
    return np.ascontiguousarray(crop[:, ::-1]) if random.random() < 0.5 else crop
