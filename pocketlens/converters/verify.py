"""Nothing is trusted until it ran: an artifact is played and compared with its teacher."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pocketlens import images, quality
from pocketlens.converters import graph as hub
from pocketlens.converters.rounding import floors_of, lowered, respond
from pocketlens.errors import VerificationError
from pocketlens.images import Floats, Picture
from pocketlens.precisions import PRECISIONS, SINGLE, Floors
from pocketlens.quality import Scores
from pocketlens.runtimes.adapter import RUNTIMES, RuntimeInfo
from pocketlens.runtimes.session import open_artifact

T = TypeVar("T")
GRAPH_FLOORS = Floors(100, rounding=SINGLE, margin=18, slack=40)
"""What the float32 graph must reach against the generator that it was exported from."""
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
    graph: Path | None = None,
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
        graph: The graph that the file was emitted from, or is. Where a floor is missed, it says what rounding alone
            does to the picture: no file can be nearer (:mod:`pocketlens.converters.rounding`).
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
        session.reset()
        frames = [images.to_uint8(session.floats(frame, follow=True)) for frame in clip.frames] if clip else []
        info = session.runtime_info
    for output in outputs:
        if not np.isfinite(output).all():
            raise VerificationError(
                f"{path.name} gives NaN or infinity in {info.runtime}", do="convert to fp32, and please report it"
            )
    scores, worst, index = score(outputs, teacher_outputs)
    against = index
    reached = _Reached(worst.psnr, None, None)
    if graph_outputs is not None:
        pairs = [(np.clip(m, 0, 255), np.clip(o, 0, 255)) for m, o in zip(graph_outputs, outputs, strict=True)]
        agreements = [quality.psnr(*pair) for pair in pairs]
        against = agreements.index(min(agreements))
        means = min(quality.psnr(*map(quality.block_means, pair)) for pair in pairs)
        reached = _Reached(worst.psnr, min(agreements), means)
    missed, do = reached.missed(floors), "try another precision or target, and please report the generator"
    if missed and graph is not None:
        model = hub.load(graph)
        floors = floors_of(model, floors)
        response = respond(model, floors, pictures[against], blends[against] or ())
        missed = reached.missed(lowered(floors, response))
        if missed and lowered(floors, response) != floors:
            missed += f"; rounding alone moves its picture to {response.psnr:.1f} dB"
            shaky = "check the generator's ranges and weights: its picture shows a change in the last bit of a value"
            do = "ask for fp32" if floors.file < PRECISIONS["fp32"].floors.file else shaky
    if missed:
        raise VerificationError(
            f"{path.name} is wrong: {missed}; picture {played[index] + 1} in {info.runtime}, largest error "
            f"{worst.largest_error:.1f} of 255",
            do=do,
        )
    flickers = quality.flicker([images.to_uint8(t) for t in clip.teacher_outputs], frames).worst if clip else None
    rounded = [images.to_uint8(output) for output in outputs]
    golden = min(quality.psnr(images.to_uint8(r), p) for r, p in zip(teacher_outputs, rounded, strict=True))
    return Verification(
        scores, worst, played[index], rounded[index], min(_GOLDEN_CAP, golden - _GOLDEN_MARGIN), info, flickers,
        reached.agreement, played,
    )  # fmt: skip


@dataclass(frozen=True)
class _Reached:
    """What a file reached on its worst picture in dB, against the teacher and, where that was played, its graph."""

    teacher: float
    agreement: float | None
    block_means: float | None

    def missed(self, floors: Floors) -> str:
        """The floor that is missed, in words; empty where all hold."""
        of_graph = "against the graph that it was made from"
        checks = [(self.teacher, floors.file, "against the teacher")]
        if self.agreement is not None and self.block_means is not None:
            blocks = f"in means over {quality.BLOCK} x {quality.BLOCK} pixels {of_graph}"
            checks = [
                (self.agreement, floors.file, of_graph),
                (self.block_means, floors.block_means, blocks),
                (self.teacher, floors.teacher, "against the teacher"),
            ]
        for reached, least, words in checks:
            if reached < least:
                return f"{reached:.1f} dB {words}, at least {least:.0f} dB expected"
        return ""


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


def score(outputs: Sequence[Floats], expected: Sequence[Floats]) -> tuple[tuple[Scores, ...], Scores, int]:
    """The scores of each output against the expected picture, the worst of each score, and which output has the lowest
    PSNR.
    """
    scores = tuple(quality.compare(r, np.clip(o, 0, 255)) for r, o in zip(expected, outputs, strict=True))
    return scores, quality.worst(scores), min(range(len(scores)), key=lambda i: scores[i].psnr)
