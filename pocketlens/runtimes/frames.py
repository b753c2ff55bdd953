"""Frames as cameras and decoders give them: luma of full size and chroma of half, in one array."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pocketlens.errors import InputError
from pocketlens.images import Floats, Picture
from pocketlens.runtimes.scaling import scale_into

YuvFormat = Literal["nv12", "i420", "yuyv"]
YuvMatrix = Literal["bt601", "bt709", "bt2020"]
_RED_AND_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@dataclass(frozen=True, eq=False)
class YuvFrame:
    """A camera's or decoder's frame. A session scales its planes and converts them at the artifact's own size.

    Chroma counts as lying in the middle of its pixels of luma, as FFmpeg takes it.

    Example:
        >>> frame = YuvFrame(np.full((720, 640), 128, np.uint8), "nv12")
        >>> frame.size, frame.picture(256, 256).shape
        ((480, 640), (256, 256, 3))

    Args:
        array: ``uint8``: ``[H * 3 / 2, W]`` for ``nv12`` (rows of luma, then rows of U and V in turns) and ``i420``
            (luma, U, V, one after the other); ``[H, W, 2]`` for ``yuyv``, whose chroma has all rows.
        format: ``nv12``, ``i420`` or ``yuyv``.
        matrix: The colour matrix: ``bt601``, ``bt709`` or ``bt2020``.
        full_range: Whether black and white are 0 and 255, not 16 and 235.

    Raises:
        InputError: The array has another type or shape, or there is no such format or matrix.
    """

    array: Picture
    format: YuvFormat
    matrix: YuvMatrix = "bt601"
    full_range: bool = False

    def __post_init__(self) -> None:
        for name, chosen, known in (("format", self.format, YuvFormat), ("matrix", self.matrix, YuvMatrix)):
            if chosen not in get_args(known):
                raise InputError(f"there is no {name} {chosen!r} of frames", do=f"one of {', '.join(get_args(known))}")
        packed = self.format == "yuyv"
        shape = self.array.shape if isinstance(self.array, np.ndarray) and self.array.dtype == np.uint8 else ()
        fits = len(shape) == 3 and shape[2] == 2 if packed else len(shape) == 2 and shape[0] % 3 == 0
        if not fits or shape[1] % 2 or 0 in shape:
            expected = "[H, W, 2]" if packed else "[H * 3 / 2, W]"
            given = f"{self.array.dtype} {list(self.array.shape)}" if isinstance(self.array, np.ndarray) else "no array"
            raise InputError(
                f"a frame in {self.format} is uint8 {expected} with even sides, this is {given}",
                do="give the decoder's array without padding at the end of its rows",
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        height, width = self.array.shape[:2]
        return (height, width) if self.format == "yuyv" else (height * 2 // 3, width)

    def planes(self) -> tuple[Picture, tuple[Picture, ...]]:
        """Luma, ``[H, W, 1]``, and chroma, U and V in one array ``[h, w, 2]`` or in two ``[h, w, 1]``: views."""
        height, width = self.size
        if self.format == "yuyv":
            return self.array[..., :1], (self.array[..., 1].reshape(height, width // 2, 2),)
        luma, chroma = self.array[:height, :, None], self.array[height:].reshape(-1)
        if self.format == "nv12":
            return luma, (chroma.reshape(height // 2, width // 2, 2),)
        return luma, tuple(chroma.reshape(2, height // 2, width // 2, 1))

    def picture(
        self, height: int, width: int, threads: int = 1, part: tuple[int, int, int, int] | None = None
    ) -> Picture:
        """The frame at a size as ``uint8 [height, width, 3]``, RGB, rounded once; no larger picture is made.

        Args:
            height: Of the picture, in pixels.
            width: Of the picture, in pixels.
            threads: On how many threads it is scaled.
            part: Top, left, height and width of what is to be seen of the frame, in pixels; the first two are rounded
                down to even numbers.
        """
        luma, chroma = self.planes()
        if part is not None:
            top, left = part[0] // 2 * 2, part[1] // 2 * 2
            luma = luma[top : top + part[2], left : left + part[3]]
            rows = 1 if self.format == "yuyv" else 2
            bottom, right = -(-(top + part[2]) // rows), -(-(left + part[3]) // 2)
            chroma = tuple(plane[top // rows : bottom, left // 2 : right] for plane in chroma)
        planes: Floats = np.empty((height, width, 3), np.float32)
        scale_into(planes[..., :1], luma, threads)
        start = 1
        for plane in chroma:
            scale_into(planes[..., start : start + plane.shape[2]], plane, threads)
            start += plane.shape[2]
        weights, offsets = _to_rgb(self.matrix, self.full_range)
        rgb = np.matmul(planes, weights)
        rgb += offsets + np.float32(0.5)  # the conversion cuts fractions off
        picture: Picture = np.clip(rgb, 0, 255, out=rgb).astype(np.uint8)
        return picture


def _to_rgb(matrix: YuvMatrix, full_range: bool) -> tuple[Floats, Floats]:
    """``rgb = yuv @ weights + offsets``, from ITU-R BT.601, BT.709 or BT.2020."""
    red, blue = _RED_AND_BLUE[matrix]
    green = 1 - red - blue
    black, light, colour = (0.0, 1.0, 1.0) if full_range else (16.0, 255 / 219, 255 / 224)
    from_u, from_v = 2 * (1 - blue) * colour, 2 * (1 - red) * colour
    weights = np.array(
        [[light, light, light], [0, -from_u * blue / green, from_u], [from_v, -from_v * red / green, 0]], np.float32
    )
    return weights, -np.array([black, 128, 128], np.float32) @ weights
