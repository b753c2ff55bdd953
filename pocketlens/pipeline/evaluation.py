"""What artifacts of one size are made from and judged by; every check is made once, every picture of the teacher played
once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pocketlens.chips import ANY_CHIP, ChipChoice
from pocketlens.converters.emitter import Labels
from pocketlens.converters.verify import Clip, Verification, verify_artifact
from pocketlens.errors import InputError, MissingError
from pocketlens.images import Floats
from pocketlens.models.source import Source
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.export import notes
from pocketlens.pipeline.picture_check import check_pictures
from pocketlens.pipeline.teacher import play_teacher
from pocketlens.precisions import Floors
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import ArtifactSpec, Target, target_named


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A source at one size, with the pictures that its artifacts are judged on.

    Attributes:
        source: The generator.
        eval_set: The pictures; of a pack every one in every style.
        labels: What every artifact says of itself.
        original: Where the source is a student, the teacher that it was distilled from: scores are against that one's
            pictures.
    """

    source: Source
    eval_set: EvalSet
    labels: Labels
    original: Source | None = None

    @classmethod
    def prepare(cls, source: Source, eval_set: EvalSet, labels: Labels, original: Source | None = None) -> "Evaluation":
        """Check that the source can be evaluated on these pictures; nothing is loaded or played where that is not
        needed.

        Raises:
            InputError: The source cannot compute at the pictures' size, or two of its styles have one name.
        """
        if len(set(source.styles)) < len(source.styles):
            raise InputError(
                f"two styles of {source.name} have one name: {', '.join(source.styles)}", do="rename one of them"
            )
        _check_size(source, *eval_set.size)
        return cls(source, eval_set.styled(source.styles) if source.styles else eval_set, labels, original)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.eval_set.size

    @cached_property
    def teacher_outputs(self) -> tuple[Floats, ...]:
        """What the source makes of each picture, ``float32 [height, width, 3]``, 0..255: artifacts are verified against
        it.
        """
        return play_teacher(self.source, self.eval_set)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What was mended in the source's file, and what is odd about the teacher's pictures, though it may be meant.

        Raises:
            InputError: They are black or flat, and nobody said that the ranges are right.
        """
        return (*notes(self.source), *check_pictures(self.source, self.eval_set, self.teacher_outputs))

    @cached_property
    def expected_outputs(self) -> tuple[Floats, ...]:
        """What scores are against: the original teacher's pictures where the source is a student, else the source's
        own.
        """
        return self.teacher_outputs if self.original is None else play_teacher(self.original, self.eval_set)

    @cached_property
    def clip(self) -> Clip | None:
        """The clip that flicker is measured on, with the source's frames; None where there is no clip."""
        if not self.eval_set.clip:
            return None
        return Clip(self.eval_set.clip, play_teacher(self.source, self.eval_set.clip_set()))

    def specs(self, targets: Mapping[str, Sequence[str]], chips: ChipChoice = ANY_CHIP) -> list[ArtifactSpec]:
        """The artifacts of this size.

        Args:
            targets: Target → precisions.
            chips: Which chips there is a file for, of targets that are compiled for chips.

        Raises:
            InputError: There is no such target, it has no such precision or chip.
            MissingError: What compiles for a target is not installed here.
        """
        return [
            ArtifactSpec(name, precision, self.size, chip, bool(chip) and chips.partly_on_cpu)
            for name, precision in check_targets(targets)
            for chip in target_named(name).chip_names(precision, chips.names)
        ]

    def verify(
        self,
        path: Path,
        floors: Floors,
        *,
        graph: Path | None = None,
        graph_outputs: Sequence[Floats] | None = None,
        with_clip: bool = False,
    ) -> Verification:
        """Play a file and compare it with the source; see :func:`pocketlens.converters.verify.verify_artifact`."""
        return verify_artifact(
            path, floors, self.eval_set.pictures, self.teacher_outputs, graph=graph, graph_outputs=graph_outputs,
            clip=self.clip if with_clip else None, styles=self.eval_set.styles,
        )  # fmt: skip


def check_targets(targets: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Check that every target exists and has every precision.

    Returns:
        Each target with each of its precisions.

    Raises:
        InputError: One does not; the message lists what there is.
        MissingError: What compiles for one is not installed here.
    """
    wanted = [(name, precision) for name, precisions in targets.items() for precision in precisions]
    for name in targets:
        _check_compiler(target_named(name))
    return wanted


def _check_compiler(target: Target) -> None:
    """What compiles for a target with an extra of its own comes with what plays its files."""
    runtime = RUNTIMES[target.runtimes[0]]
    if target.extra and (reason := runtime.missing()):
        raise MissingError(f"{target.name} files cannot be made here: {reason}", do=runtime.install)


def _check_size(source: Source, height: int, width: int) -> None:
    if height % source.multiple or width % source.multiple:
        multiple = source.multiple
        if source.kind == "checkpoint":
            # One that is deeper or shallower than its architecture's variants says itself what it needs.
            own = getattr(source.load(), "multiple", 1)
            multiple = own if source.guided == 1 else max(own * source.guided, multiple)
        if height % multiple == 0 and width % multiple == 0:
            return
        near = [max(multiple, round(edge / multiple) * multiple) for edge in (height, width)]
        raise InputError(
            f"{source.name} cannot compute at {height} x {width}: it needs multiples of {multiple}",
            do=f"use {near[0]} x {near[1]}",
        )
