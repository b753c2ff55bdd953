"""Two more classical painters for the pack that ships: pen and ink, and oil."""

import warnings

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import color

from pocketlens.images import Picture, to_uint8
from pocketlens.models.shipped.flow import Plane, along, flow

_PAPER = np.array([[243.0, 236.0, 219.0]], np.float32)
_PEN = np.array([[24.0, 26.0, 38.0]], np.float32)


def ink(picture: Picture) -> Picture:
    """Draw a picture with a pen on warm paper, its shadows washed in three tones.

    Lines are a difference of Gaussians averaged along the flow, sharpened by a steep curve (Winnemöller 2011).

    Args:
        picture: ``uint8 [height, width, 3]``, RGB.

    Returns:
        ``uint8 [height, width, 3]``, RGB.
    """
    lightness = np.asarray(color.rgb2lab(picture)[..., 0], np.float32)
    vectors = flow(lightness)
    difference = along((gaussian_filter(lightness, 0.9) - 0.98 * gaussian_filter(lightness, 1.5))[None], vectors, 4)[0]
    line = np.clip(-1.1 * difference, 0, None)
    smooth = along(lightness[None], vectors, 5)[0]
    wash = sum((_step(smooth, edge) for edge in (22.0, 42.0, 62.0)), np.zeros_like(smooth))
    covered = np.clip(np.tanh(line) + 0.24 * wash, 0, 1)[..., None]
    return to_uint8(_PAPER * (1 - covered) + _PEN * covered)


def _step(lightness: Plane, edge: float) -> Plane:
    """1 where it is darker than ``edge``, 0 where it is lighter, soft between."""
    step: Plane = 1 / (1 + np.exp((lightness - edge) / 2.5))
    return step


def oil(picture: Picture) -> Picture:
    """Paint a picture in oil: rich colours in short strokes along the edges, with sharp borders between them.

    Smoothed along the flow and sharpened across it, twice (Kyprianidis and Kang 2011), with the relief of thick paint.

    Args:
        picture: ``uint8 [height, width, 3]``, RGB.

    Returns:
        ``uint8 [height, width, 3]``, RGB.
    """
    lab = np.ascontiguousarray(np.moveaxis(color.rgb2lab(picture), 2, 0), np.float32)
    vectors = flow(lab[0], 1.0, 3.0)
    for _ in range(2):
        lab = along(lab, vectors, 7)
        lab += 0.9 * (lab - np.stack([gaussian_filter(plane, 1.6) for plane in lab]))
    down, right = np.gradient(gaussian_filter(lab[0], 0.7))
    lab[0] = 50 + 1.12 * (lab[0] - 50) + np.clip(0.5 * (down + right), -7, 7)
    lab[1:] *= 1.45
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # colours beyond sRGB's are clipped, as they should be
        rgb = color.lab2rgb(np.moveaxis(lab, 0, 2))
    return to_uint8(rgb * 255)
