"""The classical cartoon effect that the shipped filter reproduces: flattened colours, soft tone steps, ink lines.

After Winnemöller, Olsen and Gooch, "Real-Time Video Abstraction" (SIGGRAPH 2006): a bilateral filter is repeated in
Lab, the lightness is pulled towards a few steps, and lines from a difference of Gaussians are inked over it. The lines
follow Winnemöller's extended form (2011), drawn along the edge instead of across it (Kang et al., "Flow-based Image
Abstraction", 2009), which keeps them unbroken. All lengths are in pixels and made for pictures of about 256 x 256.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import color

from pocketlens.images import Picture, to_uint8
from pocketlens.models.shipped.flow import Plane, flow, sampled


@dataclass(frozen=True)
class CartoonLook:
    """The parameters of the effect.

    Attributes:
        passes: How often the picture is smoothed.
        radius: Reach of the bilateral filter in pixels.
        contrast: Difference in Lab that the bilateral filter takes for an edge.
        steps: Number of lightness steps over 0..100.
        softness: 0 leaves the lightness alone, 1 makes hard steps.
        saturation: Factor on the colour distance from grey.
        line: Width of the ink lines in pixels (standard deviation of the inner Gaussian).
        sharpness: How steeply ink falls off; higher is harder.
        ink: Darkness of a line, 0..1.
    """

    passes: int = 3
    radius: int = 4
    contrast: float = 8.0
    steps: int = 7
    softness: float = 0.85
    saturation: float = 1.25
    line: float = 0.95
    sharpness: float = 0.55
    ink: float = 0.9


CARTOON = CartoonLook()

_TAU = 0.98
"""Weight of the outer Gaussian: below 1, so that flat bright areas get no ink."""
_STROKE = 3
"""How far a line is averaged along the edge, in pixels to each side."""


def cartoon(picture: Picture, look: CartoonLook = CARTOON) -> Picture:
    """Draw a picture as a cartoon.

    Args:
        picture: ``uint8 [height, width, 3]``, RGB.
        look: The parameters.

    Returns:
        ``uint8 [height, width, 3]``, RGB.
    """
    lab = np.ascontiguousarray(np.moveaxis(color.rgb2lab(picture), 2, 0), np.float32)
    vectors = flow(lab[0])
    for _ in range(look.passes):
        lab = _bilateral(lab, look.radius, look.contrast)
    paper = 1 - look.ink * _ink(lab[0], vectors, look)
    lab[0] = _steps(lab[0], look.steps, look.softness) * paper
    lab[1:] *= look.saturation * paper
    return to_uint8(color.lab2rgb(np.moveaxis(lab, 0, 2)) * 255)


def _bilateral(lab: Plane, radius: int, contrast: float) -> Plane:
    """Average each pixel of ``[3, height, width]`` with near pixels of like colour, both by Gaussian weights."""
    height, width = lab.shape[1:]
    padded = np.pad(lab, ((0, 0), (radius, radius), (radius, radius)), mode="reflect")
    total, weights = np.zeros_like(lab), np.zeros((height, width), np.float32)
    for dy, dx in np.ndindex(2 * radius + 1, 2 * radius + 1):
        distance = float((dy - radius) ** 2 + (dx - radius) ** 2)
        if distance > radius**2:
            continue
        moved = padded[:, dy : dy + height, dx : dx + width]
        unlike = np.square(moved - lab).sum(0)
        weight = np.exp(unlike * np.float32(-0.5 / contrast**2) - np.float32(2 * distance / radius**2))
        total += weight * moved
        weights += weight
    smooth: Plane = total / weights
    return smooth


def _ink(lightness: Plane, vectors: Plane, look: CartoonLook) -> Plane:
    """How much ink lies on a pixel, 0..1: on the dark side of edges, averaged along them."""
    difference = gaussian_filter(lightness, look.line) - _TAU * gaussian_filter(lightness, 1.6 * look.line)
    grid = np.indices(lightness.shape, dtype=np.float32)
    total, weights = np.zeros_like(lightness), 0.0
    for step in range(-_STROKE, _STROKE + 1):
        weight = float(np.exp(-0.5 * (2 * step / _STROKE) ** 2))
        total += weight * sampled(difference, grid + step * vectors)
        weights += weight
    ink: Plane = np.tanh(look.sharpness * np.maximum(-total / weights, 0)).astype(np.float32)
    return ink


def _steps(lightness: Plane, steps: int, softness: float) -> Plane:
    """Pull the lightness (0..100) towards the middles of ``steps`` equal steps."""
    width = 100 / steps
    middle = (np.floor(lightness / width) + 0.5) * width
    # From -1 to 1 within a step. Its cube is flat in the middle, and meets the next step at the same lightness.
    place = (lightness - middle) / (width / 2)
    stepped: Plane = middle + (width / 2) * ((1 - softness) * place + softness * place**3)
    return stepped
