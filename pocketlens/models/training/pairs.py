"""Pairs of pictures, before and after an effect, as training answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pocketlens import images
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.models.distill.answers import Answers
from pocketlens.models.training.pictures import smaller

Pair = tuple[Picture, Picture]


def read(before: Path, after: Path) -> list[Pair]:
    """The pictures of two folders whose names without suffix agree, scaled to the size of the first, or smaller.

    Raises:
        InputError: A folder is absent or empty, or no names agree.
    """
    there = {path.stem: path for path in images.folder(after)}
    found = []
    for path in images.folder(before):
        if path.stem in there:
            picture = smaller(images.read(path))
            found.append((picture, images.resize(images.read(there[path.stem]), *picture.shape[:2])))
    if not found:
        raise InputError(
            f"no picture of {before} has the name of one in {after}", do="name both pictures of a pair alike"
        )
    return found


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
