"""A picture of any size through an artifact that computes at one size: stretch, fit, crop or tile."""

from collections.abc import Callable
from fractions import Fraction
from typing import Literal, get_args

import numpy as np

from pocketlens import images
from pocketlens.images import Floats, Picture
from pocketlens.runtimes.frames import YuvFrame
from pocketlens.runtimes.scaling import scale

Resize = Literal["stretch", "fit", "crop", "tile"]
RESIZES: tuple[Resize, ...] = get_args(Resize)
Stylize = Callable[[Picture, int, int], Picture]
"""Stylizes a picture, stretched to the artifact's size, and stretches what comes out to a height and width."""

SAME = Fraction(1)
"""The picture comes out as large as it goes in."""
OVERLAP = 0.25
"""How much of a tile lies under its neighbour, at least, along each side."""


def stylize_resized(
    stylize: Stylize,
    size: tuple[int, int],
    image: Picture | YuvFrame,
    resize: Resize,
    factor: Fraction = SAME,
    threads: int = 1,
) -> Picture:
    """Stylize a picture of any size.

    Args:
        stylize: The artifact, as a function of a picture and of the height and width that shall come out.
        size: Height and width that the artifact computes at, in pixels.
        image: ``uint8 [H, W, 3]``, or a frame of a camera.
        resize: ``stretch`` changes the shape and changes it back. ``fit`` keeps the shape; what is left over is filled
            with the picture's edge, and cut off again. ``crop`` stylizes the middle and returns only that. ``tile``
            cuts a picture that is larger than ``size`` into tiles that overlap and blends their seams, so that all its
            detail is kept; a smaller one is fitted.
        factor: How many times larger than ``size`` the artifact's pictures are.
        threads: On how many threads pictures are scaled.

    Returns:
        ``uint8``, ``factor`` times the size of ``image``; with ``crop`` of its middle.
    """
    height, width = _size(image)
    if resize == "stretch" or (height, width) == size:
        return stylize(_part(image, size, threads), *_times((height, width), factor))
    if resize == "crop":
        part = center_crop((height, width), size)
        return stylize(_part(image, size, threads, part), *_times(part[2:], factor))
    if resize == "tile" and (height > size[0] or width > size[1]):
        return _tile(stylize, size, _scaled(image, (height, width), threads), factor)
    return _fit(stylize, size, image, factor, threads)


def _size(image: Picture | YuvFrame) -> tuple[int, int]:
    return image.size if isinstance(image, YuvFrame) else (image.shape[0], image.shape[1])


def _scaled(image: Picture | YuvFrame, size: tuple[int, int], threads: int) -> Picture:
    """The picture stretched to a size."""
    return image.picture(*size, threads) if isinstance(image, YuvFrame) else scale(image, *size, threads)


def _part(
    image: Picture | YuvFrame, size: tuple[int, int], threads: int, part: tuple[int, int, int, int] | None = None
) -> Picture:
    """The picture, or the part of it from a row and column on, of a height and width; a camera's frame is converted at
    the artifact's size.
    """
    if isinstance(image, YuvFrame):
        return image.picture(*size, threads, part)
    if part is None:
        return image
    top, left, height, width = part
    return image[top : top + height, left : left + width]


def _times(size: tuple[int, ...], factor: Fraction) -> tuple[int, int]:
    """Height and width of the picture that goes in, as those of the picture that comes out."""
    height, width = (max(1, round(length * factor)) for length in size)
    return height, width


def _fit(stylize: Stylize, size: tuple[int, int], image: Picture | YuvFrame, factor: Fraction, threads: int) -> Picture:
    height, width = _size(image)
    share = min(size[0] / height, size[1] / width)
    inner = (max(1, min(size[0], round(height * share))), max(1, min(size[1], round(width * share))))
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    around = ((top, size[0] - inner[0] - top), (left, size[1] - inner[1] - left), (0, 0))
    whole = stylize(np.pad(_scaled(image, inner, threads), around, mode="edge"), *_times(size, factor))
    (first, begin), (rows, columns) = (round(top * factor), round(left * factor)), _times(inner, factor)
    return scale(
        whole[first : first + rows, begin : begin + columns], *_times((height, width), factor), threads=threads
    )


def center_crop(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the largest middle of a picture that has the proportions of ``size``.

    Example:
        >>> center_crop((480, 640), (256, 256))
        (0, 80, 480, 480)
    """
    scale = min(shape[0] / size[0], shape[1] / size[1])
    height, width = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return (shape[0] - height) // 2, (shape[1] - width) // 2, height, width


def _tile(stylize: Stylize, size: tuple[int, int], image: Picture, factor: Fraction) -> Picture:
    """Tiles at full detail, blended by how far a pixel is from its tile's edge, so that no seam shows."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, max(0, size[0] - height)), (0, max(0, size[1] - width)), (0, 0)), mode="edge")
    rows, columns = _times(padded.shape[:2], factor)
    inner = _times(size, factor)
    total: Floats | None = None  # with as many channels as come out: four with an alpha
    weight = np.zeros((rows, columns, 1), np.float32)
    ramp = (_ramp(inner[0])[:, None] * _ramp(inner[1])[None, :])[..., None]
    for top in _starts(padded.shape[0], size[0]):
        for left in _starts(padded.shape[1], size[1]):
            place = np.s_[top : top + size[0], left : left + size[1]]
            stylized = stylize(np.ascontiguousarray(padded[place]), *inner)
            first, begin = min(round(top * factor), rows - inner[0]), min(round(left * factor), columns - inner[1])
            place = np.s_[first : first + inner[0], begin : begin + inner[1]]
            total = np.zeros((rows, columns, stylized.shape[2]), np.float32) if total is None else total
            total[place] += stylized * ramp
            weight[place] += ramp
    assert total is not None
    total /= np.maximum(weight, np.finfo(np.float32).tiny)
    height, width = _times((height, width), factor)
    return images.to_uint8(total[:height, :width])


def _starts(length: int, tile: int) -> list[int]:
    """Where tiles begin, spread evenly, each at least :data:`OVERLAP` of a tile over the one before."""
    if length <= tile:
        return [0]
    count = int(np.ceil((length - tile) / (tile * (1 - OVERLAP)))) + 1
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _ramp(length: int) -> Floats:
    """From nearly 0 at both ends to 1 after :data:`OVERLAP` of the way in."""
    rise = max(1.0, length * OVERLAP)
    steps = np.arange(length, dtype=np.float32) + 0.5
    ramp: Floats = np.minimum(1.0, np.minimum(steps, length - steps) / rise).astype(np.float32)
    return ramp
