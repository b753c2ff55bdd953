"""The report's pictures: an artifact's beside the teacher's with their difference, as data inside the page."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pocketlens import images
from pocketlens.bench.report_text import decibels
from pocketlens.images import Picture
from pocketlens.quality import Region, Scores, worst_region

MAX_SIDE = 512
_MAX_FACTOR = 128
_YELLOW = (255, 214, 0)


@dataclass(frozen=True, eq=False)
class ReportPicture:
    """One picture as an artifact stylizes it, and as the teacher does.

    Attributes:
        artifact_id: The artifact's id in the manifest.
        label: The picture's name, for people.
        teacher: ``uint8 [H, W, 3]``.
        artifact: ``uint8 [H, W, 3]``, of the same size.
        scores: Of ``artifact`` against ``teacher``.
        where: The runtimes and devices that made exactly this picture; empty for a judge picture of the build.
    """

    artifact_id: str
    label: str
    teacher: Picture
    artifact: Picture
    scores: Scores
    where: str = ""


def difference(teacher: Picture, artifact: Picture) -> tuple[Picture, int]:
    """The absolute difference of two pictures, multiplied so that it can be seen.

    Returns:
        The difference, ``uint8 [H, W, 3]``, and the factor: as large as it can be without clipping the largest
        difference, at most 128. It is 1 for equal pictures.

    Example:
        >>> flat = np.full((1, 1, 3), 100, np.uint8)
        >>> shown, factor = difference(flat, flat + np.uint8(3))
        >>> shown.max().item(), factor
        (255, 85)
    """
    error = np.abs(teacher.astype(np.int16) - artifact.astype(np.int16))
    largest = int(error.max())
    factor = min(_MAX_FACTOR, 255 // largest) if largest else 1
    return (error * factor).astype(np.uint8), factor


def framed(picture: Picture, region: Region) -> Picture:
    """A copy with a yellow frame of one pixel just inside a region.

    Example:
        >>> framed(np.zeros((8, 8, 3), np.uint8), Region(2, 3, 4, 4, 1.0))[2, 3].tolist()
        [255, 214, 0]
    """
    copy = picture.copy()
    box = copy[region.top : region.top + region.height, region.left : region.left + region.width]
    for edge in (box[0], box[-1], box[:, 0], box[:, -1]):
        edge[:] = _YELLOW
    return copy


def data_uri(picture: Picture) -> str:
    """A picture as a ``data:`` address, WebP, at most 512 pixels a side; the same picture gives the same text."""
    height, width = picture.shape[:2]
    scale = min(1.0, MAX_SIDE / max(height, width))
    small = images.resize(picture, max(1, round(height * scale)), max(1, round(width * scale)))
    buffer = io.BytesIO()
    Image.fromarray(small).save(buffer, "WEBP", quality=90, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@dataclass(frozen=True)
class PicturePanel:
    """Three pictures side by side as the template takes them: the teacher's, the artifact's, and their difference."""

    artifact: str
    label: str
    where: str
    teacher: str
    stylized: str
    difference: str
    factor: int
    height: int
    width: int
    scores: str
    worst: str


def picture_panel(picture: ReportPicture) -> PicturePanel:
    """A picture as the template takes it."""
    shown, factor = difference(picture.teacher, picture.artifact)
    scores, region = picture.scores, worst_region(picture.teacher, picture.artifact)
    largest = f"largest error {scores.largest_error:.1f} of 255"
    flip = "" if scores.flip is None else f", FLIP {scores.flip:.4f}"
    return PicturePanel(
        artifact=picture.artifact_id,
        label=picture.label,
        where=picture.where,
        teacher=data_uri(picture.teacher),
        stylized=data_uri(picture.artifact),
        difference=data_uri(framed(shown, region) if region.error else shown),
        factor=factor,
        height=picture.teacher.shape[0],
        width=picture.teacher.shape[1],
        scores=f"PSNR {decibels(scores.psnr)}, SSIM {scores.ssim:.4f}, {largest}{flip}",
        worst=f"Worst at {region}: {region.error:.1f} of 255 on average" if region.error else "",
    )
