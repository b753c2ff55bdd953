"""The teacher's own pictures are looked at: a file that computes black pictures exactly is right and of no use."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pocketlens.converters.guided import shrink_picture
from pocketlens.converters.ranges import Range, Ranges
from pocketlens.errors import InputError, PocketlensError
from pocketlens.images import Floats
from pocketlens.models.source import Source
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.teacher import teacher_of
from pocketlens.quality.plausible import find_fault, flags, is_saturated, likely_ranges, words

_WIDE = (-512.0, 512.0)
"""An output range far wider than any generator's: what comes out of a teacher in it is not clamped."""


def check_pictures(source: Source, eval_set: EvalSet, outputs: Sequence[Floats]) -> tuple[str, ...]:
    """Look at what a source makes of the evaluation pictures.

    Args:
        source: The generator, with its ranges.
        eval_set: The pictures.
        outputs: The teacher's, ``float32 [height, width, 3]``, 0..255, one for each.

    Returns:
        What to warn of: saturated or inverted pictures, and flat ones where the user said both ranges.

    Raises:
        InputError: The pictures are black, white or of one shade, and nobody said the ranges; names the likely ones.
    """
    fault = find_fault(eval_set.pictures, outputs)
    if fault is None or (fault.kind == "saturated" and not _is_clipped(source, eval_set)):
        return ()  # values that only reach black and white, as drawings in ink do, are no fault
    likely = None if fault.kind == "inverted" else _likely_ranges(source, eval_set)
    now = source.ranges.input, source.ranges.output
    what, do = words(fault, now, likely)
    if fault.kind != "inverted":
        do += "; a recipe says them as input_range and output_range"
    if fault.kind == "flat" and not source.ranges_said:
        raise InputError(f"{source.name}: {what}", do=f"{do}; if such pictures are meant, say so with {flags(now)}")
    return (f"{source.name}: {what}; {do}",)


def _is_clipped(source: Source, eval_set: EvalSet) -> bool:
    return is_saturated(_values(source, eval_set, source.ranges.input), source.ranges.output)


def _likely_ranges(source: Source, eval_set: EvalSet) -> tuple[Range, Range] | None:
    def play(taken: Range) -> NDArray[np.float32] | None:
        try:
            return _values(source, eval_set, taken)
        except PocketlensError:
            return None

    return likely_ranges(play, eval_set.pictures[0])


def _values(source: Source, eval_set: EvalSet, taken: Range) -> NDArray[np.float32]:
    """The generator's own values for the first picture, ``float32 [height, width, 3]``, in an input range."""
    style = eval_set.styles[0] if eval_set.styles else ()
    small = shrink_picture(eval_set.pictures[0], source.guided)
    pixels = teacher_of(replace(source.generator, ranges=Ranges(taken, _WIDE)))(small, style)
    low, high = _WIDE
    return pixels * np.float32((high - low) / 255) + np.float32(low)
