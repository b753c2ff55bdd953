"""Pairs of pictures, before and after an effect, as datasets to learn from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pocketlens import images
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.models.distill.dataset import DistillationDataset
from pocketlens.models.training.pictures import limit_size

_TOLERANCE = 0.02
"""How much the ratios of sides of a pair may differ."""
Pair = tuple[Picture, Picture]


def read_pairs(before: Path, after: Path) -> list[Pair]:
    """The pictures of two folders whose names without suffix agree, in the size of the first, or smaller.

    Raises:
        InputError: A folder is absent or empty, no names agree, or the pictures of a pair are of another shape.
    """
    partners = {path.stem: path for path in images.folder(after)}
    pairs = []
    for path in images.folder(before):
        if path.stem in partners:
            picture, partner = limit_size(images.read(path)), images.read(partners[path.stem])
            (height, width), (high, wide) = picture.shape[:2], partner.shape[:2]
            if abs(height * wide - width * high) > _TOLERANCE * width * high:
                raise InputError(
                    f"{partners[path.stem]} is {high} x {wide}, and {path} has another shape",
                    do="crop both pictures of a pair alike",
                )
            pairs.append((picture, images.resize(partner, height, width)))
    if not pairs:
        raise InputError(
            f"no picture of {before} has the name of one in {after}", do="name both pictures of a pair alike"
        )
    return pairs


def count_unpaired(before: Path, after: Path) -> int:
    """How many pictures of two folders :func:`read_pairs` leaves out, because the other folder has none of their
    name.
    """
    first, second = ([path.stem for path in images.folder(folder)] for folder in (before, after))
    return sum(name not in second for name in first) + len(second) - len({*first} & {*second})


def dataset_of(pairs: Sequence[Pair], side: int, count: int, random: np.random.Generator) -> DistillationDataset:
    """Random crops of pairs, ``[count, 3, side, side]``, in random scales, mirrored at random; nothing else is
    changed.
    """
    inputs = np.empty((count, 3, side, side), np.uint8)
    targets = np.empty_like(inputs)
    for i in range(count):
        pair = pairs[int(random.integers(len(pairs)))]
        shorter = min(pair[0].shape[:2])
        cut = int(random.uniform(min(side, shorter), shorter + 1))
        top, left = (int(random.integers(edge - cut + 1)) for edge in pair[0].shape[:2])
        mirrored = random.random() < 0.5
        for picture, array in zip(pair, (inputs, targets), strict=True):
            crop = images.resize(np.ascontiguousarray(picture[top : top + cut, left : left + cut]), side, side)
            array[i] = (crop[:, ::-1] if mirrored else crop).transpose(2, 0, 1)
    return DistillationDataset(inputs, targets, None)
