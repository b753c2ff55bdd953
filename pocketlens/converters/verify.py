"""Nothing is trusted until it ran: an artifact is played and compared with its teacher."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pocketlens import images, quality
from pocketlens.errors import VerificationError
from pocketlens.images import Floats, Picture
from pocketlens.precisions import Floors
from pocketlens.quality import Scores
from pocketlens.runtimes.adapter import RUNTIMES, RuntimeInfo
from pocketlens.runtimes.session import open_artifact

T = TypeVar("T")
GRAPH_FLOORS = Floors(100)
"""What the float32 graph must reach against the generator that it was exported from."""
_BLOCK = 8
_GOLDEN_MARGIN = 3.0
_GOLDEN_CAP = 50.0


@dataclass(frozen=True)
class Verification:
    """An artifact that computes what its teacher computes.

    Attributes:
        scores: Of each picture that was played, in order, on float output.
        worst: The worst of each score.
        worst_index: Which picture of the evaluation has the lowest PSNR.
        worst_picture: What the artifact made of it, rounded: ``uint8 [H, W, 3]``.
        golden_psnr: dB that the rounded picture must reach against the teacher's rounded picture on any machine: 3
            under what was measured here, and at most 50, since other processors round elsewhere.
        runtime_info: The runtime that played it, its version and the precision that it computed in.
        flicker: Of a clip, beyond the teacher's own (:func:`pocketlens.quality.flicker`); None where none was played.
        played: The pictures of the evaluation that were played, by their index: all, unless a play takes seconds
            (:attr:`pocketlens.runtimes.adapter.Runtime.plays_once`).
        agreement: The worst PSNR in dB against the graph that it was emitted from, where weights or activations are
            quantized.
    """

    scores: tuple[Scores, ...]
    worst: Scores
    worst_index: int
    worst_picture: Picture
    golden_psnr: float
    runtime_info: RuntimeInfo
    flicker: float | None = None
    agreement: float | None = None
    played: tuple[int, ...] = ()

    @property
    def worst_scores(self) -> Scores:
        """The scores of the picture with the lowest PSNR."""
        return self.scores[self.played.index(self.worst_index)]


@dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive frames.

    Attributes:
        frames: ``uint8 [H, W, 3]``, of the artifact's size.
        teacher_outputs: The teacher's ``float32 [H, W, 3]`` for each.
    """

    frames: Sequence[Picture]
    teacher_outputs: Sequence[Floats]


def verify_artifact(
    path: Path,
    floors: Floors,
    pictures: Sequence[Picture],
    teacher_outputs: Sequence[Floats],
    *,
    graph_outputs: Sequence[Floats] | None = None,
    clip: Clip | None = None,
    styles: Sequence[Sequence[float]] = (),
) -> Verification:
    """Play an artifact and compare it with its teacher.

    Where a play takes seconds, only one picture is played, of a pack one in each style: the one that the graph loses
    most on, where it loses something, else the first. Then no clip is played either.

    Args:
        path: The artifact.
        floors: The least dB that it must reach.
        pictures: ``uint8 [H, W, 3]``, of the artifact's size.
        teacher_outputs: The teacher's ``float32 [H, W, 3]``, 0..255, for each.
        graph_outputs: What the graph that the file was emitted from gives for each, where that graph loses something
            already; then ``floors.file`` and ``floors.block_means`` are against these, and ``floors.teacher`` against
            the teacher.
        clip: Played for its flicker, of a pack in its first style.
        styles: Of a pack, how much of each style each picture gets.

    Raises:
        VerificationError: The file computes something else.
        MissingError: No runtime that plays it is installed.
    """
    with open_artifact(path, exact=True) as session:
        played = tuple(range(len(pictures)))
        if RUNTIMES[session.runtime].plays_once:
            played, clip = _played_once(teacher_outputs, graph_outputs, styles), None
            pictures, teacher_outputs = _chosen(pictures, played), _chosen(teacher_outputs, played)
            graph_outputs = None if graph_outputs is None else _chosen(graph_outputs, played)
        blends: Sequence[Sequence[float] | None] = _chosen(styles, played) if styles else [None] * len(played)
        outputs = [session.floats(p, style=style) for p, style in zip(pictures, blends, strict=True)]
        frames = [images.to_uint8(session.floats(frame)) for frame in clip.frames] if clip else []
        info = session.runtime_info
    for output in outputs:
        if not np.isfinite(output).all():
            raise VerificationError(
                f"{path.name} gives NaN or infinity in {info.runtime}", do="convert to fp32, and please report it"
            )
    scores, worst, index = score(outputs, teacher_outputs)
    agreement, floor = None, floors.file
    if graph_outputs is not None:
        pairs = [(np.clip(m, 0, 255), np.clip(o, 0, 255)) for m, o in zip(graph_outputs, outputs, strict=True)]
        agreement = min(quality.psnr(*pair) for pair in pairs)
        block_means = min(quality.psnr(*map(_block_means, pair)) for pair in pairs)
        for reached, least, where in (
            (agreement, floors.file, ""),
            (block_means, floors.block_means, f" in means over {_BLOCK} x {_BLOCK} pixels"),
        ):
            if reached < least:
                raise VerificationError(
                    f"{path.name} is wrong: {reached:.1f} dB{where} against the graph that it was made from in"
                    f" {info.runtime}, at least {least:.0f} dB expected",
                    do="this file was thrown away; try another precision or target, and please report the generator",
                )
        floor = floors.teacher
    if worst.psnr < floor:
        raise VerificationError(
            f"{path.name} is wrong: {worst.psnr:.1f} dB against the teacher on picture {played[index] + 1} in"
            f" {info.runtime}, at least {floor:.0f} dB expected; largest error {worst.largest_error:.1f} of 255",
            do="this file was thrown away; try another precision or target, and please report the generator",
        )
    flickers = quality.flicker([images.to_uint8(t) for t in clip.teacher_outputs], frames).worst if clip else None
    rounded = [images.to_uint8(output) for output in outputs]
    golden = min(quality.psnr(images.to_uint8(r), p) for r, p in zip(teacher_outputs, rounded, strict=True))
    return Verification(
        scores, worst, played[index], rounded[index], min(_GOLDEN_CAP, golden - _GOLDEN_MARGIN), info, flickers,
        agreement, played,
    )  # fmt: skip


def _chosen(items: Sequence[T], indexes: Sequence[int]) -> list[T]:
    return [items[i] for i in indexes]


def _played_once(
    teacher_outputs: Sequence[Floats], graph_outputs: Sequence[Floats] | None, styles: Sequence[Sequence[float]]
) -> tuple[int, ...]:
    """The pictures that are played where a play takes seconds."""
    if styles:
        return tuple(list(styles).index(style) for style in dict.fromkeys(map(tuple, styles)))
    if graph_outputs is None:
        return (0,)
    lost = [quality.psnr(t, np.clip(g, 0, 255)) for t, g in zip(teacher_outputs, graph_outputs, strict=True)]
    return (min(range(len(lost)), key=lost.__getitem__),)


def _block_means(picture: Floats) -> Floats:
    """Means over blocks of 8 x 8 pixels; what is left over at the right and below is left out."""
    height, width = (edge - edge % _BLOCK for edge in picture.shape[:2])
    blocks = picture[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, -1)
    found: Floats = blocks.mean((1, 3), dtype=np.float32)
    return found if found.size else picture


def score(outputs: Sequence[Floats], expected: Sequence[Floats]) -> tuple[tuple[Scores, ...], Scores, int]:
    """The scores of each output against the expected picture, the worst of each score, and which output has the lowest
    PSNR.
    """
    scores = tuple(quality.compare(r, np.clip(o, 0, 255)) for r, o in zip(expected, outputs, strict=True))
    return scores, quality.worst(scores), min(range(len(scores)), key=lambda i: scores[i].psnr)
