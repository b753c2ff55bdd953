"""Reads and writes pictures. Inside Pocketlens a picture is ``uint8 [height, width, 3]``, RGB, upright."""

import io
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketlens import picture_limits
from pocketlens.errors import InputError
from pocketlens.files import regular, whole
from pocketlens.picture_limits import MAX_PIXELS
from pocketlens.quick_dataclass import dataclass

if TYPE_CHECKING:  # Pillow takes 20 ms to import, which a session that is given arrays need not wait for
    from PIL import Image

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""The formats that are decoded, whatever a file's suffix is. Pillow knows forty more, and starts Ghostscript for
one.
"""


_QUALITY = 92
"""Of JPEG and WebP files, 0..100."""
_TIFF_XMP = 700
"""The number of TIFF's tag for XMP."""
_AT_ONCE = 1 << 22
"""How many values are converted at a time."""
LUMA = np.array([0.299, 0.587, 0.114])
"""The weights of red, green and blue in grey (ITU-R BT.601, as Pillow converts)."""


@dataclass(frozen=True)
class DecodedPicture:
    """A picture without its alpha, and ``alpha`` as ``uint8 [height, width]``, or None if it had none."""

    picture: Picture
    alpha: Picture | None


def _sixteen_to_eight(image: "Image.Image") -> "Image.Image":
    """16-bit, 32-bit and float values as 0..255, some rows at a time: as float64 they take eight times the room."""
    from PIL import Image

    result, rows = np.empty((image.height, image.width), np.uint8), max(1, _AT_ONCE // max(image.width, 1))
    strips = [(top, min(top + rows, image.height)) for top in range(0, image.height, rows)]
    largest = max((_finite(_strip(image, *ends)).max(initial=0.0) for ends in strips), default=0.0)
    factor = (255.0 if largest <= 1.0 else 1.0) if image.mode == "F" else 1 / 257.0
    for top, end in strips:
        result[top:end] = to_uint8(_strip(image, top, end) * factor)
    return Image.fromarray(result)


def _strip(image: "Image.Image", top: int, end: int) -> NDArray[np.float64]:
    return np.asarray(image.crop((0, top, image.width, end)), dtype=np.float64)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]


def decode(path: Path) -> DecodedPicture:
    """Read any picture: 8 and 16 bit, grey, palette, CMYK, with alpha, EXIF-rotated.

    Raises:
        InputError: The file is absent, is no picture, is damaged, or has more than :data:`MAX_PIXELS` pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pictures near Pillow's own limit, and EXIF data that it skips
            return _decoded(path)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        many = f"{path} is far more than {MAX_PIXELS:,} pixels"
        raise InputError(many, do="make the picture smaller first") from error
    # Each of Pillow's formats has its own way to fail on a damaged file, from struct.error to TypeError.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path} cannot be read as a picture: {reason}", do=f"give one of {', '.join(SUFFIXES)}"
        ) from error


def _decoded(path: Path) -> DecodedPicture:
    from PIL import Image, ImageOps

    with regular(path).open("rb") as file, Image.open(path, formats=_FORMATS) as image:
        if reason := picture_limits.problem(image, file):
            raise InputError(f"{path} {reason}", do="save the picture again, smaller if it is large")
        image.load()
        upright: Image.Image = image
        ImageOps.exif_transpose(image, in_place=True)
        if upright.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
            upright = _sixteen_to_eight(upright)
        alpha = None
        if "A" in upright.getbands() or "transparency" in upright.info:
            upright = upright if upright.mode == "RGBA" else upright.convert("RGBA")
            alpha = np.asarray(upright.getchannel("A"))
        colours = upright if upright.mode == "RGB" else upright.convert("RGB")  # which copies in any case
        return DecodedPicture(np.ascontiguousarray(np.asarray(colours)), alpha)


def read(path: Path) -> Picture:
    """The picture in a file as ``uint8 [height, width, 3]``, without its alpha. See :func:`decode`."""
    return decode(path).picture


def write(
    path: Path,
    picture: Picture,
    alpha: Picture | None = None,
    *,
    xmp: str = "",
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Write a picture whole, or not at all; the suffix names the format.

    Args:
        path: Where it is to be.
        picture: ``uint8 [H, W, 3]``.
        alpha: ``uint8 [H, W]``, for formats that hold it.
        xmp: Metadata, for instance :meth:`pocketlens.origin.Origin.xmp`; BMP and GIF files have no place for it.
        finish: Called with the written file before it takes its place; where it raises, nothing is written.

    Raises:
        InputError: The suffix is not a picture format, or the file cannot be written.
    """
    from PIL import Image

    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} does not end in a picture format", do=f"use one of {', '.join(SUFFIXES)}")
    image = Image.fromarray(picture)
    if alpha is not None and path.suffix.lower() in (".png", ".webp", ".tif", ".tiff"):
        image.putalpha(Image.fromarray(alpha))
    with whole(path) as part:
        image.save(part, **_options(path.suffix.lower(), xmp))
        if finish is not None:
            finish(part)


def _options(suffix: str, xmp: str) -> dict[str, Any]:
    """How Pillow saves a format, and where it takes XMP for it."""
    options: dict[str, Any] = {"quality": _QUALITY} if suffix in (".jpg", ".jpeg", ".webp") else {}
    if suffix == ".png":  # level 4 takes under half of the time of level 6, Pillow's own, and its files are 3 % larger
        options["compress_level"] = 4
    if not xmp:
        return options
    if suffix in (".tif", ".tiff"):
        options["tiffinfo"] = {_TIFF_XMP: xmp.encode()}
    elif suffix == ".png":
        from PIL import PngImagePlugin

        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp)
    elif suffix in (".jpg", ".jpeg", ".webp"):
        options["xmp"] = xmp.encode()
    return options


def png(picture: Picture) -> bytes:
    """The picture as PNG bytes, which are the same for the same picture."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def resize(picture: Picture, height: int, width: int) -> Picture:
    """Stretch a picture to a size with an antialiasing filter, Lanczos."""
    if picture.shape[:2] == (height, width):
        return picture
    from PIL import Image

    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS), np.uint8)


def fill(picture: Picture, height: int, width: int) -> Picture:
    """Scale a picture to cover a size and crop the middle, so that nothing is stretched."""
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(Image.fromarray(picture), (width, height), Image.Resampling.LANCZOS))


MAX_FACTOR = 8
"""How many times larger or smaller a generator's picture may come out, each way."""


def size_factor(before: tuple[int, int], after: tuple[int, int]) -> Fraction | None:
    """How many times larger a picture came out: a whole number, or one over a whole number; None for anything else.

    Example:
        >>> size_factor((64, 96), (256, 384)), size_factor((64, 96), (32, 48)), size_factor((64, 96), (64, 100))
        (Fraction(4, 1), Fraction(1, 2), None)
    """
    factors = {Fraction(new, old) for old, new in zip(before, after, strict=True) if old and new}
    if len(factors) != 1:
        return None
    factor = factors.pop()
    whole_number = max(factor.numerator, factor.denominator)
    return factor if 1 in (factor.numerator, factor.denominator) and whole_number <= MAX_FACTOR else None


def to_uint8(pixels: NDArray[Any]) -> Picture:
    """Clamp to 0..255 and round half to even, as every runtime's output is turned into a picture; NaN becomes 0.

    Example:
        >>> to_uint8(np.array([-3.0, 0.5, 254.6, 300.0])).tolist()
        [0, 0, 255, 255]
    """
    rounded: Picture = np.rint(np.fmin(np.fmax(pixels, 0), 255)).astype(np.uint8)
    return rounded


def coloured(picture: Picture) -> Picture:
    """The colours of a picture as ``uint8 [H, W, 3]``: grey is repeated, alpha is left out."""
    if picture.ndim == 2 or picture.shape[2] == 1:
        return np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(picture[..., :3])


def recolour(original: Picture, colours: Picture) -> Picture:
    """The reverse of :func:`coloured`: turns colours into a picture of the original's kind, grey or with its alpha.

    Args:
        original: ``uint8`` ``[H, W]``, or ``[H, W, C]`` with 1, 3 or 4 channels.
        colours: ``uint8 [h, w, 3]``; if it is smaller than ``original``, it is the middle of it.

    Example:
        >>> recolour(np.zeros((4, 4), np.uint8), np.full((4, 4, 3), 7, np.uint8)).shape
        (4, 4)
    """
    if original.ndim == 2 or original.shape[2] == 1:
        grey = to_uint8(colours @ LUMA)
        return grey if original.ndim == 2 else grey[..., None]
    if original.shape[2] == 3:
        return colours
    height, width = colours.shape[:2]
    top, left = (original.shape[0] - height) // 2, (original.shape[1] - width) // 2
    alpha = original[top : top + height, left : left + width, 3:]
    return np.concatenate([colours, alpha], axis=2)


def folder(path: Path) -> list[Path]:
    """The pictures in a folder, sorted by name.

    Raises:
        InputError: The folder is absent or holds no picture.
    """
    if not path.is_dir():
        raise InputError(f"{path} is not a folder of pictures", do="give one that holds pictures")
    pictures = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if not pictures:
        raise InputError(
            f"{path} holds no pictures (folders inside it are not looked into)",
            do=f"put some in it: {', '.join(SUFFIXES)}",
        )
    return pictures
