"""Nothing is trusted until it ran: an artifact is played and compared with its teacher."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens import images, quality
from pocketlens.errors import VerificationError
from pocketlens.images import Floats, Picture
from pocketlens.quality import Scores
from pocketlens.runtimes.session import open_artifact

FLOORS = {
    "fp32": 80.0,
    "fp16": 50.0,
    "w8": 50.0,
    "palette8": 50.0,
    "palette6": 50.0,
    "palette4": 50.0,
    "int8": 28.0,
    "int8-a16": 50.0,
}
"""PSNR in dB under which a file of a precision is wrong, whatever the gate asks: against the teacher, and where the graph
codes weights in fewer bits, against that very graph, so that a wrong file cannot pass for a lossy one."""
MEANS = {"int8": 39.0, "int8-a16": 62.0}
"""The same of the means over 8 x 8 pixels. Kernels may round differently from the graph, which averages out there; what a wrong
kernel does stays. Eleven generators on every target at two sizes gave 31 dB and 43 dB of means at the least; four negated
channels of 128 in one convolution of a fast-style gave 28 to 38 dB and 30 to 42 of means (docs/precisions.md)."""
LEAST = {"w8": 30.0, "palette8": 30.0, "palette6": 20.0, "palette4": 12.0, "int8": 15.0, "int8-a16": 25.0}
"""PSNR in dB against the teacher under which coding has gone wrong and not only lost something."""
GRAPH_FLOOR = 100.0
"""PSNR in dB that the float32 graph must reach against the generator that it was exported from."""
_BLOCK = 8
_GOLDEN_MARGIN = 3.0
_GOLDEN_CAP = 50.0


@dataclass(frozen=True)
class Verified:
    """An artifact that computes what its teacher computes.

    Attributes:
        scores: Of each picture, in order, on float output.
        worst: The worst of each score.
        worst_index: Which picture has the lowest PSNR.
        worst_picture: What the artifact made of it, rounded: ``uint8 [H, W, 3]``.
        golden_psnr: dB that the rounded picture must reach against the teacher's rounded picture on any machine: 3 under
            what was measured here, and at most 50, since other processors round elsewhere.
        facts: The runtime that played it, its version and the precision that it computed in.
        flicker: Of a clip, beyond the teacher's own (:func:`pocketlens.quality.flicker`); None where none was played.
        agreement: The worst PSNR in dB against the graph that it was emitted from, where that codes weights in fewer bits.
    """

    scores: tuple[Scores, ...]
    worst: Scores
    worst_index: int
    worst_picture: Picture
    golden_psnr: float
    facts: dict[str, Any]
    flicker: float | None = None
    agreement: float | None = None


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive frames.

    Attributes:
        frames: ``uint8 [H, W, 3]``, of the artifact's size.
        teachers: The teacher's ``float32 [H, W, 3]`` for each.
    """

    frames: Sequence[Picture]
    teachers: Sequence[Floats]


def verify_artifact(
    path: Path,
    floor: float,
    pictures: Sequence[Picture],
    references: Sequence[Floats],
    *,
    meant: Sequence[Floats] | None = None,
    means: float = 0.0,
    least: float = 0.0,
    clip: Clip | None = None,
    styles: Sequence[Sequence[float]] = (),
) -> Verified:
    """Play an artifact and compare it with its teacher.

    Args:
        path: The artifact.
        floor: PSNR in dB that the worst picture must reach: against ``meant`` where that is given.
        pictures: ``uint8 [H, W, 3]``, of the artifact's size.
        references: The teacher's ``float32 [H, W, 3]``, 0..255, for each.
        meant: What the graph that the file was emitted from gives for each, where that graph loses something already.
        means: PSNR in dB that means over blocks of 8 x 8 pixels must reach against those of ``meant``.
        least: PSNR in dB that the worst picture must reach against the teacher all the same.
        clip: Played for its flicker, of a pack in its first style.
        styles: Of a pack, how much of each style each picture gets.

    Raises:
        VerificationError: The file computes something else.
        MissingError: No runtime that plays it is installed.
    """
    with open_artifact(path, exact=True) as session:
        blends: Sequence[Sequence[float] | None] = styles or [None] * len(pictures)
        outputs = [session.floats(p, style=style) for p, style in zip(pictures, blends, strict=True)]
        frames = [images.to_uint8(session.floats(frame)) for frame in clip.frames] if clip else []
        facts = session.facts
    for output in outputs:
        if not np.isfinite(output).all():
            raise VerificationError(
                f"{path.name} gives NaN or infinity in {facts['runtime']}", do="convert to fp32, and please report it"
            )
    scores, worst, index = score(outputs, references)
    agreement = None
    if meant is not None:
        pairs = [(np.clip(m, 0, 255), np.clip(o, 0, 255)) for m, o in zip(meant, outputs, strict=True)]
        agreement = min(quality.psnr(*pair) for pair in pairs)
        coarse = min(quality.psnr(*map(_blocks, pair)) for pair in pairs)
        for found, expected, of in (
            (agreement, floor, ""),
            (coarse, means, f" in means over {_BLOCK} x {_BLOCK} pixels"),
        ):
            if found < expected:
                raise VerificationError(
                    f"{path.name} is wrong: {found:.1f} dB{of} against the graph that it was made from in"
                    f" {facts['runtime']}, at least {expected:.0f} dB expected",
                    do="this file was thrown away; try another precision or target, and please report the generator",
                )
        floor = least
    if worst.psnr < floor:
        raise VerificationError(
            f"{path.name} is wrong: {worst.psnr:.1f} dB against the teacher on picture {index + 1} in"
            f" {facts['runtime']}, at least {floor:.0f} dB expected; largest error {worst.largest_error:.1f} of 255",
            do="this file was thrown away; try another precision or target, and please report the generator",
        )
    flickers = quality.flicker([images.to_uint8(t) for t in clip.teachers], frames).worst if clip else None
    rounded = [images.to_uint8(output) for output in outputs]
    golden = min(quality.psnr(images.to_uint8(r), p) for r, p in zip(references, rounded, strict=True))
    return Verified(
        scores, worst, index, rounded[index], min(_GOLDEN_CAP, golden - _GOLDEN_MARGIN), facts, flickers, agreement
    )


def _blocks(picture: Floats) -> Floats:
    """Means over blocks of 8 x 8 pixels; what is left over at the right and below is left out."""
    height, width = (edge - edge % _BLOCK for edge in picture.shape[:2])
    blocks = picture[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, -1)
    found: Floats = blocks.mean((1, 3), dtype=np.float32)
    return found if found.size else picture


def score(outputs: Sequence[Floats], references: Sequence[Floats]) -> tuple[tuple[Scores, ...], Scores, int]:
    """The scores of each output against its reference, the worst of each score, and which output has the lowest PSNR."""
    scores = tuple(quality.compare(r, np.clip(o, 0, 255)) for r, o in zip(references, outputs, strict=True))
    return scores, quality.worst(scores), min(range(len(scores)), key=lambda i: scores[i].psnr)
