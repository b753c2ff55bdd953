"""What the shipped filter is trained on: pieces of photographs and drawn shapes, in many colours, scales and
exposures.
"""

import numpy as np
from numpy.typing import NDArray
from skimage import draw

from pocketlens import images
from pocketlens.images import Picture

_GREY = 6.0
"""A picture whose channels differ by less than this on average is grey, and gets two random colours."""
_MOST_NOISE = 5.0
"""The strongest noise that is added, as a standard deviation of 0..255: a phone's camera at dusk."""


def augmented_crop(photograph: Picture, side: int, random: np.random.Generator) -> Picture:
    """A random square of a photograph, scaled to ``[side, side, 3]``, with other colours and exposure."""
    height, width = photograph.shape[:2]
    # From the native scale to the whole photograph: the effect depends on the size of things.
    cut = int(random.uniform(side, min(height, width)))
    top, left = int(random.integers(height - cut + 1)), int(random.integers(width - cut + 1))
    square = images.resize(photograph[top : top + cut, left : left + cut], side, side)
    return _expose(square.astype(np.float64) / 255, random)


def leaves(side: int, random: np.random.Generator) -> Picture:
    """Ellipses over ellipses with shaded fills, ``[side, side, 3]``: a "dead leaves" picture.

    Their sizes follow a power law, which gives them the edges and the statistics of photographs (Lee, Mumford and
    Huang, "Occlusion Models for Natural Images", 2001). Their colours are unlike those of any photograph, which is the
    point.
    """
    canvas = np.broadcast_to(random.uniform(0, 1, 3), (side, side, 3)).copy()
    ramp = np.linspace(-0.5, 0.5, side)
    # An inverse square law of sizes between 3 pixels and half the side, drawn from its inverse distribution.
    sizes = 1 / random.uniform(2 / side, 1 / 3, 220)
    for radius in np.sort(sizes)[::-1]:
        row, column = random.uniform(0, side, 2)
        rows, columns = draw.ellipse(
            row, column, radius, radius * random.uniform(0.3, 1), shape=(side, side), rotation=random.uniform(0, np.pi)
        )
        shade = random.normal(0, 0.35) * ramp[rows] + random.normal(0, 0.35) * ramp[columns]
        canvas[rows, columns] = random.uniform(0, 1, 3) + shade[:, None]
    return _expose(np.clip(canvas, 0, 1), random)


def _expose(pixels: NDArray[np.float64], random: np.random.Generator) -> Picture:
    """Random colour, white balance, gamma, contrast and noise; ``pixels`` are 0..1."""
    grey = pixels.mean(-1, keepdims=True)
    if np.abs(pixels - grey).mean() * 255 < _GREY:
        dark, bright = random.uniform(0, 0.5, 3), random.uniform(0.5, 1, 3)
        pixels = dark + (bright - dark) * grey
    else:
        pixels = grey + random.uniform(0.4, 1.4) * (pixels - grey)
        if random.random() < 0.3:
            pixels = pixels[..., random.permutation(3)]
    pixels = np.clip(pixels * random.uniform(0.85, 1.15, 3), 0, 1) ** np.exp(random.normal(0, 0.3))
    low, high = random.uniform(0, 0.12), random.uniform(0.85, 1)
    noise = random.normal(0, random.uniform(0, _MOST_NOISE), pixels.shape)
    return images.to_uint8((low + (high - low) * pixels) * 255 + noise)
