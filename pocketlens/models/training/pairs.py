"""Pairs of pictures, before and after an effect, as training answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pocketlens import images
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.models.distill.answers import Answers
from pocketlens.models.training.pictures import smaller

_ASKEW = 0.02
"""How much the ratios of sides of a pair may differ."""
Pair = tuple[Picture, Picture]


def read(before: Path, after: Path) -> list[Pair]:
    """The pictures of two folders whose names without suffix agree, in the size of the first, or smaller.

    Raises:
        InputError: A folder is absent or empty, no names agree, or the pictures of a pair are of another shape.
    """
    there = {path.stem: path for path in images.folder(after)}
    found = []
    for path in images.folder(before):
        if path.stem in there:
            picture, other = smaller(images.read(path)), images.read(there[path.stem])
            (height, width), (high, wide) = picture.shape[:2], other.shape[:2]
            if abs(height * wide - width * high) > _ASKEW * width * high:
                raise InputError(
                    f"{there[path.stem]} is {high} x {wide}, and {path} has another shape",
                    do="crop both pictures of a pair alike",
                )
            found.append((picture, images.resize(other, height, width)))
    if not found:
        raise InputError(
            f"no picture of {before} has the name of one in {after}", do="name both pictures of a pair alike"
        )
    return found


def alone(before: Path, after: Path) -> int:
    """How many pictures of two folders :func:`read` leaves out, because the other has none of their name."""
    first, second = ([path.stem for path in images.folder(folder)] for folder in (before, after))
    return sum(name not in second for name in first) + len(second) - len({*first} & {*second})


def answers(pairs: Sequence[Pair], side: int, count: int, random: np.random.Generator) -> Answers:
    """Random pieces of pairs, ``[count, 3, side, side]``, in random scales, mirrored at random; nothing else is changed."""
    taken = np.empty((count, 3, side, side), np.uint8)
    given = np.empty_like(taken)
    for i in range(count):
        pair = pairs[int(random.integers(len(pairs)))]
        shorter = min(pair[0].shape[:2])
        cut = int(random.uniform(min(side, shorter), shorter + 1))
        top, left = (int(random.integers(edge - cut + 1)) for edge in pair[0].shape[:2])
        mirrored = random.random() < 0.5
        for picture, place in zip(pair, (taken, given), strict=True):
            piece = images.resize(np.ascontiguousarray(picture[top : top + cut, left : left + cut]), side, side)
            place[i] = (piece[:, ::-1] if mirrored else piece).transpose(2, 0, 1)
    return Answers(taken, given, None)
