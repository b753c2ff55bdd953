"""A classical painter that takes a painting's colours and strokes: slow, and what the ``starry`` filter reproduces.

Strokes follow the picture's edges: its fine details, evened out in strength and averaged along the flow, as wide, long
and strong as the painting's. Its colours are moved towards the painting's: first by the mean colour at their lightness,
then to the near ones among the painting's clusters, by soft weights. Nothing depends on where in the picture a point
is, nor on the whole picture, so that a small local network can learn it. All lengths are in pixels and made for about
256 x 256.
"""

from functools import cache
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import color

from pocketlens.images import Picture, to_uint8
from pocketlens.models.shipped import painting
from pocketlens.models.shipped.flow import Plane, along, flow
from pocketlens.models.shipped.painting import PaintingLook

_STRENGTH = 0.55
"""Strokes as a share of the painting's contrast: all of it would hide a face."""
_GRAIN = 1.0
"""Details weaker than this (a standard deviation of lightness) are mostly noise, and made into weak strokes."""
_SHIFT, _KEPT, _REACH = 0.8, 0.2, 9.0
"""How far colours move to the painting's at their lightness; how much of the photograph's own stays; how far in Lab
clusters draw.
"""
_LIFT = 10.0
"""What black becomes: paint is never black."""
_COLOURFUL = 1.2


def paint(picture: Picture, look: PaintingLook) -> Picture:
    """Paint a picture.

    Args:
        picture: ``uint8 [height, width, 3]``, RGB.
        look: Of the painting, with strokes in the picture's pixels: a painting 600 pixels high suits pictures of 256.

    Returns:
        ``uint8 [height, width, 3]``, RGB.
    """
    lab = np.ascontiguousarray(np.moveaxis(color.rgb2lab(picture), 2, 0), np.float32)
    vectors = flow(lab[0], 1.0, 3.0)
    strokes = look.contrast * _STRENGTH * _strokes(lab[0], vectors, look)
    painted = along(lab, vectors, max(1, round(0.4 * look.length)))
    painted[1:] *= _COLOURFUL
    painted += np.stack([strokes, *(slant * strokes for slant in look.slants)])
    return to_uint8(color.lab2rgb(np.moveaxis(_recolour(painted, look), 0, 2)) * 255)


def starry(picture: Picture) -> Picture:
    """Paint a picture with the look of Vincent van Gogh's "The Starry Night" (1889)."""
    return paint(picture, _starry())


@cache
def _starry() -> PaintingLook:
    return painting.read(Path(__file__).parent / "starry_look.json")


def _strokes(lightness: Plane, vectors: Plane, look: PaintingLook) -> Plane:
    """Where strokes are lighter and darker, about -2.5 to 2.5."""
    detail = lightness - gaussian_filter(lightness, 4.0)
    even = detail / np.sqrt(gaussian_filter(detail**2, 6.0) + _GRAIN**2)
    drawn = along(even[None], vectors, max(1, round(0.6 * look.length)))[0]
    # Only what is as wide as a stroke: neither hairs nor shadows.
    drawn = gaussian_filter(drawn, look.width / 4) - gaussian_filter(drawn, 0.85 * look.width)
    strokes: Plane = np.clip(drawn / np.sqrt(gaussian_filter(drawn**2, 8.0) + 0.05**2), -2.5, 2.5)
    return strokes


def _recolour(lab: Plane, look: PaintingLook) -> Plane:
    points = lab.reshape(3, -1).T.copy()
    points[:, 0] = _LIFT + (1 - _LIFT / 100) * points[:, 0]
    colours, tones = np.array(look.colours, np.float32), np.array(look.tones, np.float32)
    middles = (np.arange(len(tones)) + 0.5) * (100 / len(tones))
    shifted = points.copy()
    for i in (0, 1):
        shifted[:, 1 + i] += _SHIFT * np.interp(points[:, 0], middles, tones[:, i]).astype(np.float32)
    unlike = np.square(shifted[:, None] - colours).sum(2)
    weights = np.array(look.shares, np.float32) * np.exp((unlike.min(1, keepdims=True) - unlike) / (2 * _REACH**2))
    moved = weights / weights.sum(1, keepdims=True) @ colours
    moved = (1 - _KEPT) * moved + _KEPT * points
    # The shape of a face is in its lightness: more of that stays.
    moved[:, 0] = 0.4 * moved[:, 0] + 0.6 * points[:, 0]
    recoloured: Plane = moved.T.reshape(lab.shape).astype(np.float32)
    return recoloured
