"""Scores of a picture against its teacher's. Everything is measured on values 0..255."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import require
from pocketlens.quality.perceived import flip
from pocketlens.quick_dataclass import dataclass

Pixels = NDArray[np.float32] | NDArray[np.uint8]
BLOCK = 8
"""Pixels along each edge of a block whose mean is compared."""
WINDOW = 7
"""Pixels along each edge of a window of SSIM."""
EQUAL_PSNR = 999.0
"""PSNR in dB reported for identical pictures, where the formula gives infinity, which JSON cannot hold."""


@dataclass(frozen=True)
class Scores:
    """How close one picture is to another.

    Attributes:
        psnr: Peak signal-to-noise ratio in dB; :data:`EQUAL_PSNR` for identical pictures.
        ssim: Structural similarity, at most 1 (Wang et al. 2004, 7 x 7 windows, as scikit-image computes it).
        largest_error: The largest difference of one value, of 255.
        flip: The mean perceived difference, 0..1 (LDR-FLIP, see :func:`pocketlens.quality.perceived.flip`); None where
            it was not computed.
    """

    psnr: float
    ssim: float
    largest_error: float
    flip: float | None = None


def psnr(reference: Pixels, candidate: Pixels) -> float:
    """``10 log10(255² / mean squared error)`` in dB, over all values; NaN counts as an error of 255.

    Example:
        >>> a = np.zeros((8, 8, 3), np.uint8)
        >>> round(psnr(a, a + 1), 2)
        48.13
    """
    error = _difference(reference, candidate)
    mean = float(np.mean(error**2))
    return EQUAL_PSNR if mean == 0 else min(EQUAL_PSNR, float(10 * np.log10(255.0**2 / mean)))


def largest_error(reference: Pixels, candidate: Pixels) -> float:
    """The largest absolute difference of one value."""
    return float(np.abs(_difference(reference, candidate)).max())


def ssim(reference: Pixels, candidate: Pixels) -> float:
    """Structural similarity over RGB with a data range of 255; needs scikit-image.

    A picture of fewer than 7 rows or columns is mirrored at its edges until a window fits.

    Example:
        >>> round(ssim(np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)), 2)
        0.0
    """
    require("skimage", "build")
    from skimage.metrics import structural_similarity

    a, b = np.asarray(reference, np.float64), np.nan_to_num(np.asarray(candidate, np.float64))
    missing = [(0, max(0, WINDOW - edge)) for edge in a.shape[:2]]
    a, b = (np.pad(p, [*missing, (0, 0)], mode="symmetric") for p in (a, b))
    return float(structural_similarity(a, b, win_size=WINDOW, channel_axis=2, data_range=255.0))


def block_means(picture: Pixels) -> NDArray[np.float32]:
    """Means over blocks of 8 x 8 pixels; what is left over at the right and below is left out.

    Example:
        >>> block_means(np.ones((17, 24, 3), np.float32)).shape
        (2, 3, 3)
    """
    height, width = (edge - edge % BLOCK for edge in picture.shape[:2])
    blocks = picture[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, -1)
    means: NDArray[np.float32] = blocks.mean((1, 3), dtype=np.float32)
    return means if means.size else np.asarray(picture, np.float32)


def compare(reference: Pixels, candidate: Pixels) -> Scores:
    """All scores of ``candidate`` against ``reference``, both ``[height, width, 3]`` with values 0..255.

    An alpha as fourth channel counts in PSNR and largest error; SSIM and FLIP are of colours.
    """
    colours = reference[..., :3], candidate[..., :3]
    return Scores(psnr(reference, candidate), ssim(*colours), largest_error(reference, candidate), flip(*colours))


def worst(scores: Sequence[Scores]) -> Scores:
    """The worst value of each score over several pictures."""
    flips = [s.flip for s in scores if s.flip is not None]
    return Scores(
        min(s.psnr for s in scores),
        min(s.ssim for s in scores),
        max(s.largest_error for s in scores),
        max(flips, default=None),
    )


def _difference(reference: Pixels, candidate: Pixels) -> NDArray[np.float64]:
    if reference.shape != candidate.shape:
        raise ValueError(f"pictures of different shapes: {reference.shape} and {candidate.shape}")
    error = np.asarray(candidate, np.float64) - np.asarray(reference, np.float64)
    return np.where(np.isfinite(error), error, 255.0)
