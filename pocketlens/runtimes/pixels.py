"""From a picture to the values of an input and from those of an output: layout, type, range, scale and zero point.

A picture has at most 256 different values, so everything but a plain copy is one table look-up. The values of an 8-bit
output are looked up too; floats are clamped and rounded in an array that is kept.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.images import LUMA, Floats, Picture
from pocketlens.runtimes.ports import PicturePort, Port
from pocketlens.runtimes.rows import share_rows
from pocketlens.runtimes.scaling import scale, scale_into

PIXELS = (0.0, 255.0)
_ROUND_TO_LOW_BYTE = np.float32(1.5 * 2**23)
"""Adding it to a float32 of 0..255 leaves the value, rounded half to even, in the lowest byte, and 0 for NaN. This is
faster than rounding and converting."""
_MIN_SHARED = 1 << 19
"""Pixels from which on threads share the rows: waking a thread takes a tenth of a millisecond."""
ValueRange = tuple[float, float]


def check_picture(image: NDArray[np.uint8]) -> None:
    """Refuse what is no picture: :class:`InputError`."""
    shape = image.shape if isinstance(image, np.ndarray) else ()
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)))
    ):
        description = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"a picture is uint8 [H, W, 3], this is {description}", do="pocketlens.images.read gives one")
    if 0 in shape:
        raise InputError(f"the picture is empty: {list(shape)}", do="give one with pixels")


def values_of(port: Port) -> ValueRange:
    """The range that a port's pictures are most likely in: what its scale can express, or else 0..255.

    Example:
        >>> values_of(Port("image", "uint8", (1, 8, 8, 3), scale=1 / 255))
        (0.0, 1.0)
    """
    if not port.scale or port.dtype not in ("uint8", "int8"):
        return PIXELS
    info = np.iinfo(port.dtype)
    low, high = ((end - port.zero_point) * port.scale for end in (info.min, info.max))
    near = [(0.0, 1.0), (-1.0, 1.0), PIXELS]
    fitting = [span for span in near if max(abs(span[0] - low), abs(span[1] - high)) <= (span[1] - span[0]) / 20]
    return fitting[0] if fitting else PIXELS


def quantize(values: NDArray[np.float64], port: Port) -> NDArray[Any]:
    """Real values as a port stores them: unchanged but for the type, unless it is quantized."""
    dtype = np.dtype(port.dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    info = np.iinfo(dtype)
    steps = np.rint(values / port.scale) + port.zero_point if port.scale else np.rint(values)
    stored: NDArray[Any] = np.clip(steps, info.min, info.max).astype(dtype)
    return stored


class PictureWriter:
    """Writes pictures into an input.

    Args:
        place: The input.
        values: The values of black and white in it.
        threads: How many may share the rows of a large picture.
    """

    def __init__(self, place: PicturePort, values: ValueRange = PIXELS, threads: int = 1) -> None:
        low, high = values
        self._threads, self._scaling_threads = _shared(place, threads), threads
        self._size = place.size
        self._table = quantize(low + np.arange(256) * (high - low) / 255, place.port)
        self._copies = np.array_equal(self._table, np.arange(256))
        self._planar = place.layout == "NCHW"
        self._grey = place.channels == 1
        self._reverse = place.port.reverse
        self._takes_scaled = self._copies and _interleaved(place)

    def write(self, image: Picture, into: NDArray[Any]) -> None:
        """Fill an input.

        Args:
            image: ``uint8 [H, W, 3]``, RGB; of another size than the input it is stretched, and not rounded where the
                input takes floats.
            into: The input's array, of its shape and type.
        """
        target = into[0].transpose(1, 2, 0) if self._planar else into[0]
        if image.shape[:2] != self._size:
            if self._takes_scaled:
                scale_into(target, image[..., ::-1] if self._reverse else image, self._scaling_threads)
                return
            image = scale(image, *self._size, self._scaling_threads)
        if self._grey:
            image = np.rint(image @ LUMA).astype(np.uint8)[..., None]
        elif self._reverse:
            image = image[..., ::-1]

        def fill(top: int, bottom: int) -> None:
            rows = image[top:bottom]
            np.copyto(target[top:bottom], rows if self._copies else self._table[rows], casting="unsafe")

        share_rows(fill, len(image), self._threads)


class PictureReader:
    """Reads pictures out of an output.

    Args:
        place: The output.
        values: The values of black and white in it.
        threads: How many may share the rows of a large picture.
    """

    def __init__(self, place: PicturePort, values: ValueRange = PIXELS, threads: int = 1) -> None:
        self._port = place.port
        self._threads, self._scaling_threads = _shared(place, threads), threads
        self._size = place.size
        self._planar = place.layout == "NCHW"
        dtype = np.dtype(self._port.dtype)
        # From a stored number to a pixel: subtract the offset, then multiply by the factor.
        step = 255.0 / (values[1] - values[0])
        scale = (self._port.scale or 1.0) * step
        self._offset = self._port.zero_point + (values[0] / self._port.scale if self._port.scale else values[0])
        self._factor = scale
        self._plain = self._factor == 1.0 and self._offset == 0.0
        self._table: Picture | None = None
        if dtype.itemsize == 1:
            stored = np.arange(256, dtype=np.uint8).view(dtype)
            self._table = _rounded(self._real(stored))
            self._copies = self._plain and dtype == np.uint8
        # In the order of the output, seen rows first like it.
        room = np.empty(place.port.shape if dtype.itemsize > 1 else (1, 0, 0, 0), np.float32)
        self._room, self._bits = self._rows_first(room), self._rows_first(room.view(np.int32))
        self._grey = place.channels == 1
        self._gives_scaled = self._plain and _interleaved(place)

    def picture(self, result: NDArray[Any], size: tuple[int, int] | None = None) -> Picture:
        """``uint8 [H, W, 3]``, RGB: clamped, rounded half to even; NaN becomes 0. The array is a new one.

        Args:
            result: The output's array.
            size: Height and width that it is stretched to; its own, if left out. Floats are rounded once, behind that.
        """
        stored = self._rows_first(result)
        if size is not None and size != self._size:
            if self._gives_scaled:
                return scale(stored, *size, self._scaling_threads)
            return scale(self.picture(result), *size, self._scaling_threads)
        picture: Picture = np.empty(stored.shape, np.uint8)
        share_rows(partial(self._fill, picture, stored), len(stored), self._threads)
        return np.repeat(picture, 3, axis=2) if self._grey else picture

    def floats(self, result: NDArray[Any]) -> Floats:
        """``float32 [H, W, 3]``, 0..255 unless the artifact leaves that range; not rounded. The array is a new one."""
        picture = self._real(self._rows_first(result))
        return np.repeat(picture, 3, axis=2) if self._grey else picture

    def _real(self, stored: NDArray[Any]) -> Floats:
        if self._plain:
            return np.array(stored, np.float32, order="C")
        real = (stored.astype(np.float64) - self._offset) * self._factor
        return np.ascontiguousarray(real, np.float32)

    def _fill(self, picture: Picture, stored: NDArray[Any], top: int, bottom: int) -> None:
        """Rows ``top:bottom`` of a picture."""
        into, stored = picture[top:bottom], stored[top:bottom]
        if self._table is not None:
            if self._copies:
                self._interleave(into, stored)
            else:
                np.copyto(into, self._table[stored.view(np.uint8)])
            return
        room = self._room[top:bottom]
        if self._plain:
            np.clip(stored, 0.0, 255.0, out=room, casting="unsafe")
        else:
            np.subtract(stored, self._offset, out=room, dtype=np.float32, casting="unsafe")
            np.multiply(room, self._factor, out=room)
            np.clip(room, 0.0, 255.0, out=room)
        np.add(room, _ROUND_TO_LOW_BYTE, out=room)
        self._interleave(into, self._bits[top:bottom])

    def _interleave(self, picture: Picture, stored: NDArray[Any]) -> None:
        """Copy the lowest bytes, plane by plane where the colours lie in planes: that takes a third of the time of one
        transposed copy.
        """
        if not self._planar:
            np.copyto(picture, stored, casting="unsafe")
            return
        for channel in range(picture.shape[2]):
            np.copyto(picture[..., channel], stored[..., channel], casting="unsafe")

    def _rows_first(self, array: NDArray[Any]) -> NDArray[Any]:
        seen = array[0].transpose(1, 2, 0) if self._planar else array[0]
        turned: NDArray[Any] = seen[..., ::-1] if self._port.reverse else seen
        return turned


def _interleaved(place: PicturePort) -> bool:
    """Whether pixels lie there as a picture's do, so that it can be scaled from there and to there. Colours that lie in
    planes take longer so than through a picture between.
    """
    return place.layout == "NHWC" and place.channels != 1 and place.port.dtype in ("uint8", "float32")


def _shared(place: PicturePort, threads: int) -> int:
    """How many threads share the rows of a picture of this size."""
    return threads if place.size[0] * place.size[1] >= _MIN_SHARED else 1


def _rounded(values: Floats) -> Picture:
    rounded: Picture = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return rounded
