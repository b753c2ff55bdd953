"""How close pictures and clips are to the teacher's: PSNR, SSIM, FLIP, flicker, and where pictures differ most."""

from pocketlens.quality.flicker import Flicker, flicker
from pocketlens.quality.perceived import flip, flip_map
from pocketlens.quality.region import Region, worst_region
from pocketlens.quality.scores import (
    BLOCK,
    EQUAL_PSNR,
    Pixels,
    Scores,
    block_means,
    compare,
    largest_error,
    psnr,
    ssim,
    worst,
)

__all__ = [
    "BLOCK",
    "EQUAL_PSNR",
    "Flicker",
    "Pixels",
    "Region",
    "Scores",
    "block_means",
    "compare",
    "flicker",
    "flip",
    "flip_map",
    "largest_error",
    "psnr",
    "ssim",
    "worst",
    "worst_region",
]
