"""Flicker: change between the frames of an artifact's clip that the teacher's clip does not have. Needs only numpy."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.quick_dataclass import dataclass

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Flicker:
    """Change between consecutive frames beyond the teacher's own, in values of 0..255.

    Attributes:
        worst: The flicker of the worst pair of frames, which the gate limits.
        mean: The mean over all pairs.
        pair: The worst pair's second frame, counted from 0; 0 where there is no pair.
    """

    worst: float
    mean: float
    pair: int


def flicker(teacher_frames: Iterable[Pixels], frames: Iterable[Pixels]) -> Flicker:
    """Compare a clip with the teacher's, frame by frame; two frames of each are held at a time.

    For a pair of consecutive frames, flicker is the mean over pixels and channels of ``max(0, |a1 - a0| - |t1 - t0|)``,
    with the artifact's frames a and the teacher's t. Where the teacher's picture does not change, any change counts;
    where it changes too, only the excess counts. A constant tint or a constant loss of contrast is no flicker.

    Args:
        teacher_frames: ``[height, width, 3]`` each, 0..255.
        frames: The artifact's frames, of the same shapes and number.

    Raises:
        ValueError: The clips differ in length or the frames in shape.

    Example:
        >>> still = [np.full((4, 4, 3), 100.0)] * 3
        >>> flicker(still, [still[0], still[0] + 2, still[0]])
        Flicker(worst=2.0, mean=2.0, pair=1)
        >>> flicker(still, [frame + 9 for frame in still]).worst
        0.0
    """
    excesses = list(_excesses(teacher_frames, frames))
    if not excesses:
        return Flicker(0.0, 0.0, 0)
    index = int(np.argmax(excesses))
    return Flicker(excesses[index], float(np.mean(excesses)), index + 1)


def _excesses(teacher_frames: Iterable[Pixels], frames: Iterable[Pixels]) -> Iterator[float]:
    before: tuple[Pixels, Pixels] | None = None
    for teacher, frame in zip(teacher_frames, frames, strict=True):
        if teacher.shape != frame.shape:
            raise ValueError(f"frames of different shapes: {teacher.shape} and {frame.shape}")
        # float32 and not uint8: differences have a sign.
        now = np.asarray(teacher, np.float32), np.clip(np.nan_to_num(np.asarray(frame, np.float32)), 0, 255)
        if before is not None:
            teacher_change, change = (np.abs(b - a) for a, b in zip(before, now, strict=True))
            yield float(np.maximum(change - teacher_change, 0).mean(dtype=np.float64))
        before = now
