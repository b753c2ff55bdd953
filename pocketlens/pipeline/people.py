"""What a filter does to people: identities before and after, and skin in ten tones; with their gates and the section of
the report.

Both are about the filter: its teacher's pictures are looked at, not each file's. How near a file is to its teacher, the
other limits of the gate say.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pocketlens import identity, images
from pocketlens.bundle.manifest import GateResult
from pocketlens.errors import InputError, MissingError
from pocketlens.images import Picture, to_uint8
from pocketlens.likeness import faces, structure
from pocketlens.pipeline.eval_set import SHIPPED, pure
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.teacher import teacher_of
from pocketlens.recipe import Gate
from pocketlens.skin import MONK, Gap, Portrait, Shift, gap, shift

if TYPE_CHECKING:
    from pocketlens.bench.report import Section

PORTRAITS = ("judge/astronaut.jpg", "calibrate/hopper.jpg")
"""The portraits that ship, which are recoloured."""


@dataclass(frozen=True)
class KeptFace:
    """A face of a judge picture: the picture's name, whether it is still found, and how similar the person is."""

    picture: str
    found: bool
    similarity: float


@dataclass(frozen=True)
class Tone:
    """Skin in one tone of the Monk scale, mean over the portraits.

    Attributes:
        number: 1 is the lightest, 10 the darkest.
        lightness: How much lighter skin became, in CIELAB.
        hue: How far its hue moved, in CIELAB.
        faces: How many of the faces that are found in the recoloured portraits are still found.
        faces_before: How many are found in the recoloured portraits.
        structure: How well the edges of the faces agree; see :mod:`pocketlens.likeness`.
        identity: The least similarity of a person; None without the extra ``likeness``.
    """

    number: int
    lightness: float
    hue: float
    faces: int
    faces_before: int
    structure: float
    identity: float | None


@dataclass(frozen=True)
class People:
    """What a filter does to people.

    Attributes:
        kept: Each face of the judge pictures.
        tones: Skin in each tone, of a pack in its worst style; empty where it was not asked for.
        gap: The worst tone beside the best, likewise.
        gaps: The gap of each style of a pack; empty where there is one style.
        gates: The limits that the recipe sets on them.
    """

    kept: tuple[KeptFace, ...] = ()
    tones: tuple[Tone, ...] = ()
    gap: Gap | None = None
    gates: tuple[GateResult, ...] = ()
    gaps: dict[str, Gap] = field(default_factory=dict)


def check_people(limits: Gate) -> None:
    """Check, before any work, that what the gate asks for can be measured here.

    Raises:
        MissingError: Identities are asked for, and the extra ``likeness`` is not installed.
    """
    if limits.identity is not None:
        identity.check_installed()


def measure_people(evaluation: Evaluation, limits: Gate) -> People:
    """Measure what the gate asks for; nothing where it asks for nothing.

    Raises:
        InputError: Identities are asked for, and no judge picture shows a face.
    """
    kept: tuple[KeptFace, ...] = ()
    tones: tuple[Tone, ...] = ()
    worst, gaps, gates = None, dict[str, Gap](), []
    if limits.identity is not None:
        kept = _kept(evaluation)
        if not kept:
            raise InputError(
                "gate.identity is set, and no face is found in any judge picture",
                do="add a portrait to the pictures that judge, or leave the limit out",
            )
        least = min(face.similarity for face in kept)
        gates.append(_gate("identity", limits.identity, least, least >= limits.identity))
    if limits.skin is not None:
        tones, worst, gaps = _tones(evaluation)
        gates.append(_gate("skin", limits.skin, worst.size, worst.size <= limits.skin))
    return People(kept, tones, worst, tuple(gates), gaps)


def _gate(name: str, limit: float, actual: float, holds: bool) -> GateResult:
    return GateResult(name, limit, actual, "pass" if holds else "fail")


def _kept(evaluation: Evaluation) -> tuple[KeptFace, ...]:
    eval_set = evaluation.eval_set
    outputs = [to_uint8(output) for output in evaluation.expected_outputs]
    return tuple(
        KeptFace(name, face.found, face.similarity)
        for name, picture, output in zip(eval_set.names, eval_set.pictures, outputs, strict=True)
        if output.shape == picture.shape
        for face in identity.kept_faces(picture, output)
    )


def _tones(evaluation: Evaluation) -> tuple[tuple[Tone, ...], Gap, dict[str, Gap]]:
    """Tones and gap of the worst style, and the gap of each style of a pack."""
    portraits = [Portrait.of(name, images.read(SHIPPED / name), *evaluation.size) for name in PORTRAITS]
    shown = [portrait for portrait in portraits if portrait is not None]
    if not shown:
        height, width = evaluation.size
        raise InputError(
            f"gate.skin is set, and no face is found in the portraits at {height} x {width}",
            do="leave the limit out, or build at a larger size",
        )
    names = evaluation.source.styles
    before = {number: [portrait.in_tone(tone) for portrait in shown] for number, tone in enumerate(MONK, 1)}
    gaps: list[Gap] = []
    worst: tuple[Gap, dict[int, list[Picture]], dict[int, list[Shift]]] | None = None
    play = _player(evaluation)
    for style in [pure(index, len(names)) for index in range(len(names))] or [()]:
        after = {number: [play(picture, style) for picture in pictures] for number, pictures in before.items()}
        shifts = {number: _shifts(shown, before[number], outputs) for number, outputs in after.items()}
        gaps.append(gap(shifts))
        if worst is None or gaps[-1].size > worst[0].size:
            worst = gaps[-1], after, shifts  # pictures of the other styles are not kept
    assert worst is not None
    tones = [_tone(number, shown, before[number], worst[1][number], worst[2][number]) for number in before]
    return tuple(tones), worst[0], dict(zip(names, gaps, strict=True)) if names else {}


def _shifts(shown: list[Portrait], before: list[Picture], after: list[Picture]) -> list[Shift]:
    return [
        shift(picture, output, portrait.skin) for portrait, picture, output in zip(shown, before, after, strict=True)
    ]


def _tone(
    number: int, shown: list[Portrait], before: list[Picture], outputs: list[Picture], moved: list[Shift]
) -> Tone:
    edges = [
        structure(picture, output, portrait.face)
        for portrait, picture, output in zip(shown, before, outputs, strict=True)
    ]
    if _recognises():
        kept = [face for pair in zip(before, outputs, strict=True) for face in identity.kept_faces(*pair)[:1]]
        still_found, person = [face.found for face in kept], min((face.similarity for face in kept), default=None)
    else:
        person = None
        still_found = [
            _found(output, portrait)
            for portrait, picture, output in zip(shown, before, outputs, strict=True)
            if _found(picture, portrait)
        ]
    lightness, hue = (float(np.mean([getattr(one, name) for one in moved])) for name in ("lightness", "hue"))
    return Tone(number, lightness, hue, sum(still_found), len(still_found), float(np.mean(edges)), person)


def _found(picture: Picture, portrait: Portrait) -> bool:
    return any(portrait.face.overlap(box) > 0.5 for box in faces(picture))


def _recognises() -> bool:
    try:
        identity.check_installed()
    except MissingError:
        return False
    return True


def _player(evaluation: Evaluation) -> Callable[[Picture, tuple[float, ...]], Picture]:
    """The filter, of a picture and a style; a generator that enlarges is judged at the size that went in."""
    teacher, (height, width) = teacher_of(evaluation.original or evaluation.source), evaluation.size
    return lambda picture, style: images.resize(to_uint8(teacher(picture, style)), height, width)


def report_sections(people: People) -> "list[Section]":
    """The sections of the report."""
    from pocketlens.bench.report import Section

    sections = []
    if people.kept:
        text = (
            "Cosine similarity of each face before and after (SFace): 1 is the same picture; two photographs of one "
            f"person are above {identity.STRANGERS}. The network was trained on photographs: under a strong style it "
            "falls though people still recognise the person."
        )
        rows = tuple((face.picture, f"{face.similarity:.2f}", "yes" if face.found else "no") for face in people.kept)
        sections.append(Section("Identity", text, ("picture", "similarity", "face found"), rows))
    if people.gap is not None:
        worst = people.gap
        gaps = ", ".join(f"{style} {of_style.size:.1f}" for style, of_style in people.gaps.items())
        styles = f"The gaps of the styles: {gaps}. This is the worst of them. " if gaps else ""
        text = (
            f"Two portraits recoloured to the ten tones of the Monk scale. {styles}Skin moves {worst.size:.1f} further "
            f"in tone {worst.worst} than in tone {worst.best} (95 %: {worst.low:.1f} to {worst.high:.1f}; lightness "
            "and hue, CIELAB). The gap is about colour alone; structure and identity tell whether the face stays. A "
            "recoloured portrait shows what the filter does to a colour. It does not show another person's features, "
            "hair or light: try the filter on people before giving it to people."
        )
        tone_rows = tuple(
            (
                str(tone.number), f"{tone.lightness:+.1f}", f"{tone.hue:+.1f}", f"{tone.faces} of {tone.faces_before}",
                f"{tone.structure:.2f}", "-" if tone.identity is None else f"{tone.identity:.2f}",
            )
            for tone in people.tones
        )  # fmt: skip
        columns = ("tone", "lightness", "hue", "faces found", "structure", "identity")
        sections.append(Section("Skin", text, columns, tone_rows))
    return sections
