"""The first picture or frame that a file gives is looked at: black and flat ones mostly come from ranges that nobody
said.
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketlens import images
from pocketlens.errors import InputError, PocketlensError
from pocketlens.images import Picture
from pocketlens.quality.plausible import Range, find_fault, flags, has_contrast, is_saturated, likely_ranges, words
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.pixels import PIXELS
from pocketlens.runtimes.session import open_artifact

_FRAME_STEP = 4
"""Of a clip's frames, every so many rows and columns say whether there is something in them."""
_SAMPLE = 1 << 20
"""About how many pixels of a picture are looked at: they are copied several times in floats."""


class FirstLook:
    """Looks at a picture once.

    Args:
        path: A bundle, or one artifact.
        ranges: The input and output range that the user said; None where nothing was said.

    Attributes:
        warnings: What is odd and may be meant.
    """

    def __init__(self, path: Path, ranges: tuple[Range | None, Range | None]) -> None:
        self._path, self._said = path, None not in ranges
        self._ranges = (ranges[0] or PIXELS, ranges[1] or ranges[0] or PIXELS)
        self._is_artifact = any(path.suffix in runtime.suffixes for runtime in RUNTIMES.values())
        self.warnings: tuple[str, ...] = ()
        self._frame_seen = False

    def check_frame(self, picture: Picture, stylized: Picture, size: tuple[int, int]) -> None:
        """:meth:`check` the first frame of a clip that has something in it: many begin with black ones."""
        if not self._frame_seen and has_contrast(picture[::_FRAME_STEP, ::_FRAME_STEP]):
            self._frame_seen = True
            self.check(picture, stylized, size)

    def check(self, picture: Picture, stylized: Picture, size: tuple[int, int]) -> None:
        """Look at a picture and what became of it, both ``uint8 [H, W, 3]``; the artifact computes at ``size``.

        Raises:
            InputError: It is black or flat, the file is no bundle's, and nobody said its ranges; names the likely ones.
        """
        fault = find_fault([_sample(picture)], [_sample(stylized).astype(np.float32)])
        if fault is None:
            return
        if not self._is_artifact:
            self.warnings = (fault.text,) if fault.kind == "flat" else ()
            return
        picture = images.resize(picture, *size)
        values = self._values(picture, self._ranges[0])
        if fault.kind == "saturated" and (values is None or not is_saturated(values, self._ranges[1])):
            return
        likely = likely_ranges(lambda taken: self._values(picture, taken), picture)
        what, do = words(fault, self._ranges, likely)
        if fault.kind == "flat" and not self._said:
            raise InputError(
                f"{self._path}: {what}", do=f"{do}; if such pictures are meant, say so with {flags(self._ranges)}"
            )
        self.warnings = (f"{what}; {do}",)

    def _values(self, picture: Picture, taken: Range) -> NDArray[np.float32] | None:
        """The artifact's own values for a picture in an input range, ``float32 [h, w, 3]``; None where it fails."""
        try:
            with open_artifact(self._path, values=taken, output_values=PIXELS, exact=True) as session:
                return session.floats(picture)
        except PocketlensError:
            return None


def _sample(picture: Picture) -> Picture:
    """Rows and columns of a large picture, evenly spread."""
    step = max(1, math.isqrt(picture.shape[0] * picture.shape[1] // _SAMPLE))
    return picture[::step, ::step]
