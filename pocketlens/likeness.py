"""Likeness: whether a stylized picture still shows the same person. Two measures that need no download.

Faces are detected with scikit-image's cascade (local binary patterns; frontal faces). Structure is a face without
colour, tone and fine texture: the directions of its edges at three scales.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from pocketlens.errors import require
from pocketlens.images import Picture

_SMALLEST = 8
"""The smallest face that is detected is an eighth of the picture's shorter side."""
_SCALES = (0.012, 0.024, 0.048)
"""Blurs before edges are computed, as shares of the face's width: for eyelids, for eyes and mouth, for the face's
halves.
"""
_FLOOR = 1.0
"""Edges weaker than this, in grey levels, have no direction."""


@dataclass(frozen=True)
class Box:
    """A face: its top, left, height and width in pixels."""

    top: int
    left: int
    height: int
    width: int

    def overlap(self, other: "Box") -> float:
        """Shared area over joint area, 0..1.

        Example:
            >>> Box(0, 0, 2, 2).overlap(Box(0, 1, 2, 2))
            0.3333333333333333
        """
        down = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        shared = max(0, down) * max(0, across)
        return shared / (self.height * self.width + other.height * other.width - shared)


@dataclass(frozen=True)
class Likeness:
    """How much of a person's face a stylized picture keeps.

    Attributes:
        face_found: Whether a face is found in the stylized picture where it was in the photograph (overlap above a
            half).
        structure: How well the directions of edges inside the face agree, 1 for the same, about 0 for none.
    """

    face_found: bool
    structure: float


def faces(picture: Picture) -> list[Box]:
    """The frontal faces in a picture, the largest first.

    Args:
        picture: ``uint8 [height, width, 3]``.

    Raises:
        MissingError: scikit-image is not installed.
    """
    shorter = min(picture.shape[:2])
    smallest = max(24, shorter // _SMALLEST)
    if shorter < smallest:
        return []
    detections = _cascade().detect_multi_scale(
        img=picture, scale_factor=1.1, step_ratio=1, min_size=(smallest, smallest), max_size=(shorter, shorter)
    )
    boxes = [Box(int(f["r"]), int(f["c"]), int(f["height"]), int(f["width"])) for f in detections]
    return sorted(boxes, key=lambda box: -box.height * box.width)


def likeness(photograph: Picture, stylized: Picture) -> Likeness | None:
    """Compare the largest face of a photograph with the same place in the stylized picture.

    Args:
        photograph: ``uint8 [height, width, 3]``.
        stylized: The filter's output for it, of the same size.

    Returns:
        The likeness; None where no face is found in the photograph.

    Raises:
        MissingError: scikit-image is not installed.
    """
    faces_before = faces(photograph)
    if not faces_before:
        return None
    face_found = any(faces_before[0].overlap(box) > 0.5 for box in faces(stylized))
    return Likeness(face_found, structure(photograph, stylized, faces_before[0]))


def structure(photograph: Picture, stylized: Picture, face: Box) -> float:
    """The agreement of edge directions inside a face, weighted by the photograph's edges; 1 at best, 0 by chance.

    Directions are taken modulo half a turn (doubled angles), so that an edge whose sides swapped tones still agrees.
    """
    total = weights = 0.0
    for scale in _SCALES:
        blur = max(0.7, scale * face.width)
        before, after = (_directions(_grey(picture, face), blur) for picture in (photograph, stylized))
        strength_before = np.abs(before)
        strength_after = np.abs(after)
        agreement = np.real(before * np.conj(after)) / np.maximum(strength_before * strength_after, 1e-9)
        total += float((strength_before * np.where(strength_after > _FLOOR**2, agreement, 0)).sum())
        weights += float(strength_before.sum())
    return total / weights if weights else 0.0


def _grey(picture: Picture, face: Box) -> NDArray[np.float64]:
    inside = picture[face.top : face.top + face.height, face.left : face.left + face.width]
    grey: NDArray[np.float64] = inside.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return zoom(grey, 128 / face.height, order=1) if face.height < 64 else grey


def _directions(grey: NDArray[np.float64], blur: float) -> NDArray[np.complex128]:
    """The gradient as a complex number with its angle doubled, squared in size; smoothed as a structure tensor is."""
    smooth = gaussian_filter(grey, blur)
    down, across = np.gradient(smooth)
    doubled = (across + 1j * down) ** 2
    together: NDArray[np.complex128] = gaussian_filter(doubled.real, blur) + 1j * gaussian_filter(doubled.imag, blur)
    return together


@cache
def _cascade() -> Any:
    require("skimage", "build")
    import skimage
    from skimage.feature import Cascade

    return Cascade(str(Path(skimage.__file__).parent / "data" / "lbpcascade_frontalface_opencv.xml"))
