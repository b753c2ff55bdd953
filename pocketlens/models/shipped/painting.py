"""What makes a painting look as it does, in numbers: its colours, and the width, length and contrast of its strokes.

``python -m pocketlens.models.shipped.painting painting.jpg -o look.json`` measures any painting. Only these numbers are
kept and trained with; the painting itself is needed for nothing else.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.ndimage import gaussian_filter
from skimage import color

from pocketlens import files, images
from pocketlens.errors import InputError
from pocketlens.models.shipped.flow import Plane, flow, sampled

_COLOURS = 24
_BANDS = 20
_EVERY = 7
"""One pixel of so many is clustered."""
_DETAIL = 8.0
"""Standard deviation in pixels; what is finer is strokes."""
_FARTHEST = 40
_SMALLEST = 64
_SEED = 7


@dataclass(frozen=True)
class PaintingLook:
    """A painting's look. Colours are in CIE Lab (D65), lengths in the painting's own pixels.

    Attributes:
        colours: The middles of clusters of its colours, dark to light: lightness 0..100, a, b.
        shares: How much of it each covers; they sum to 1.
        tones: Its mean a and b at lightnesses in equal bands from 0 to 100.
        width: Of a stroke: where details across the flow no longer agree by half, to both sides.
        length: The same along the flow.
        contrast: Standard deviation of the lightness of strokes.
        slants: How a and b of strokes change with their lightness.
    """

    colours: tuple[tuple[float, float, float], ...]
    shares: tuple[float, ...]
    tones: tuple[tuple[float, float], ...]
    width: float
    length: float
    contrast: float
    slants: tuple[float, float]


def measure(painting: images.Picture) -> PaintingLook:
    """Measure a painting without its frame, ``uint8 [height, width, 3]``; the same picture gives the same numbers.

    Raises:
        InputError: It is too small, or has too few colours to be a painting.
    """
    if min(painting.shape[:2]) < _SMALLEST or len(np.unique(painting.reshape(-1, 3)[::_EVERY], axis=0)) < _COLOURS:
        raise InputError(
            f"a picture of {painting.shape[0]} x {painting.shape[1]} is too small, or has less than {_COLOURS} colours",
            do=f"give a photograph of a painting, {_SMALLEST} pixels and more inside its frame",
        )
    lab = np.ascontiguousarray(np.moveaxis(color.rgb2lab(painting), 2, 0), np.float32)
    points = lab.reshape(3, -1).T
    middles, nearest = kmeans2(points[::_EVERY], _COLOURS, rng=_SEED, minit="++", iter=40)
    shares = np.bincount(nearest, minlength=_COLOURS) / len(nearest)
    order = np.argsort(middles[:, 0])
    detail = lab - np.stack([gaussian_filter(plane, _DETAIL) for plane in lab])
    along = flow(lab[0], 1.0, 4.0)
    across = np.stack([along[1], -along[0]])
    variance = float((detail[0] ** 2).mean())
    return PaintingLook(
        colours=tuple(tuple(round(float(v), 1) for v in middles[i]) for i in order),  # type: ignore[misc]
        shares=tuple(round(float(shares[i]), 4) for i in order),
        tones=_tones(points),
        width=round(2 * _half(detail[0], across), 1),
        length=round(2 * _half(detail[0], along), 1),
        contrast=round(variance**0.5, 1),
        slants=tuple(round(float((detail[0] * detail[i]).mean()) / variance, 2) for i in (1, 2)),  # type: ignore[arg-type]
    )


def read(path: Path) -> PaintingLook:
    """A look that :func:`main` wrote."""
    fields = json.loads(path.read_text("utf-8"))
    for key in ("colours", "tones"):
        fields[key] = tuple(tuple(row) for row in fields[key])
    return PaintingLook(**{**fields, "shares": tuple(fields["shares"]), "slants": tuple(fields["slants"])})


def _tones(points: NDArray[np.float32]) -> tuple[tuple[float, float], ...]:
    """Mean a and b in bands of lightness, smoothed by a cubic, since some bands have few pixels."""
    band = np.clip((points[:, 0] / 100 * _BANDS).astype(int), 0, _BANDS - 1)
    there = [i for i in range(_BANDS) if (band == i).sum() > len(points) // 1000]
    means = np.array([points[band == i, 1:].mean(0) for i in there])
    places = np.array(there) + 0.5
    fitted = [
        np.polyval(np.polyfit(places, means[:, i], 3), np.clip(np.arange(_BANDS) + 0.5, *places[[0, -1]]))
        for i in (0, 1)
    ]
    return tuple((round(float(a), 1), round(float(b), 1)) for a, b in zip(*fitted, strict=True))


def _half(detail: Plane, direction: Plane) -> float:
    """How far along a direction details agree by half: the lag in pixels at which their correlation falls under 0.5."""
    grid, power, before = np.indices(detail.shape, dtype=np.float32), float((detail**2).mean()), 1.0
    for lag in range(1, _FARTHEST):
        now = float((detail * sampled(detail, grid + lag * direction)).mean()) / power
        if now < 0.5:
            return lag - 1 + (before - 0.5) / (before - now)
        before = now
    return float(_FARTHEST)


def main() -> None:
    """Parse the command line, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("painting", type=Path)
    parser.add_argument("--frame", type=int, default=0, help="pixels to cut off on each side")
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args()
    try:
        picture, frame = images.read(chosen.painting), max(0, chosen.frame)
        height, width = picture.shape[:2]
        look = measure(picture[frame : max(frame, height - frame), frame : max(frame, width - frame)])
    except InputError as error:
        parser.error(str(error))
    files.write(chosen.output, json.dumps(asdict(look), indent=1).replace("\n   ", " ").replace("\n  ]", "]") + "\n")


if __name__ == "__main__":
    main()
