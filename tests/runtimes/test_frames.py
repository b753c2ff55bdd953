from typing import Any

import numpy as np
import pytest

from pocketlens import YuvFrame
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.quality import psnr
from pocketlens.runtimes.frames import YuvFormat, YuvMatrix
from pocketlens.runtimes.resizing import RESIZES, stylize_resized
from pocketlens.runtimes.scaling import scale
from tests.generators import picture

FORMATS: dict[YuvFormat, str] = {"nv12": "nv12", "i420": "yuv420p", "yuyv": "yuyv422"}
SIZE = (64, 96)


def decoded(image: Picture, format: YuvFormat, **colours: int) -> Any:
    """A picture as PyAV gives a decoder's frame."""
    av = pytest.importorskip("av", reason="pip install 'pocketlens[video]'")
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
        format=FORMATS[format], src_color_range=2, interpolation=0x4000 | 4, **colours
    )


def same(image: Picture, height: int, width: int) -> Picture:
    return scale(scale(image, *SIZE), height, width)


def array(frame: Any, format: YuvFormat) -> Picture:
    if format == "yuyv":
        plane = frame.planes[0]
        return np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size // 2, 2)[:, : frame.width]
    planes: Picture = frame.to_ndarray()
    return planes


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("matrix", "number"), [("bt601", 5), ("bt709", 1)])
@pytest.mark.parametrize("full", [False, True])
def test_it_is_what_ffmpeg_converts(format: YuvFormat, matrix: YuvMatrix, number: int, full: bool) -> None:
    source = decoded(picture(180, 240), format, dst_colorspace=number, dst_color_range=2 if full else 1)
    ours = YuvFrame(array(source, format), format, matrix, full)
    assert ours.size == (180, 240)
    for height, width in ((180, 240), SIZE):
        theirs = source.reformat(
            width,
            height,
            format="rgb24",
            interpolation=4 | 0x2000 | 0x40000,  # bicubic, whole colours, accurate rounding
            src_colorspace=number,
            src_color_range=2 if full else 1,
            dst_color_range=2,
        ).to_ndarray()
        assert psnr(ours.picture(height, width, threads=2), theirs) >= 50


@pytest.mark.parametrize("format", FORMATS)
def test_every_way_to_fit_takes_frames(format: YuvFormat) -> None:
    image = picture(120, 200)
    frame = YuvFrame(array(decoded(image, format), format), format)
    for resize in RESIZES:
        from_frame = stylize_resized(same, SIZE, frame, resize)
        from_picture = stylize_resized(same, SIZE, image, resize)
        assert from_frame.shape == from_picture.shape
        assert psnr(from_frame, from_picture) >= (36 if resize == "tile" else 44)


@pytest.mark.parametrize(
    ("shape", "dtype", "format", "matrix", "message"),
    [
        ((8, 6), np.uint8, "nv12", "bt601", r"uint8 \[H \* 3 / 2, W\]"),
        ((9, 5), np.uint8, "i420", "bt601", "even sides"),
        ((9, 6), np.uint8, "yuyv", "bt601", r"\[H, W, 2\]"),
        ((9, 6), np.float32, "nv12", "bt601", "float32"),
        ((9, 6), np.uint8, "nv21", "bt601", "no format 'nv21'"),
        ((9, 6), np.uint8, "nv12", "bt470", "no matrix 'bt470'"),
    ],
)
def test_what_is_no_frame_is_refused(shape: Any, dtype: Any, format: Any, matrix: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        YuvFrame(np.zeros(shape, dtype), format, matrix)
