"""From a source to all its verified artifacts: what ``build`` and ``convert`` share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, refuse
from pocketlens.converters.fp16_audit import Extent
from pocketlens.converters.quantization.plan import Plan
from pocketlens.converters.rewrites import registry
from pocketlens.errors import InputError
from pocketlens.files import is_cached
from pocketlens.images import Floats
from pocketlens.models.source import Source
from pocketlens.pipeline import stages
from pocketlens.pipeline.choosing import Candidates, Timing, choose
from pocketlens.pipeline.fallback import Fallback
from pocketlens.pipeline.front import Front
from pocketlens.pipeline.halves import halved
from pocketlens.pipeline.pictures import Judges
from pocketlens.pipeline.quantizing import Workshop, is_coded, workshop
from pocketlens.pipeline.rewriting import Choice, names_for
from pocketlens.pipeline.searching import Search
from pocketlens.pipeline.stages import Emitted, Rewritten
from pocketlens.pipeline.trials import Chosen
from pocketlens.recipe import Quantize
from pocketlens.targets import target_named

Notify = Callable[[str, int, int], None]
"""Told what is being done now, how many steps are done, and how many there are."""


@dataclass(frozen=True)
class Produced:
    """The artifacts of one size, and the pictures that they were judged on.

    Attributes:
        judges: The pictures.
        teachers: The teacher's ``float32 [height, width, 3]`` for each picture.
        artifacts: In the order of the targets asked for.
        choices: How the rewrites of each target were chosen, where they were measured.
        risks: What half precision may not hold, after exact means; empty where only ``fp32`` was asked for.
        fronts: What searches for plans found; they are made at the first size.
        originals: Where the source is a student, its own teacher's pictures, which the scores are against; else empty.
    """

    judges: Judges
    teachers: tuple[Floats, ...]
    artifacts: tuple[Emitted, ...]
    choices: tuple[Chosen, ...] = ()
    risks: tuple[Extent, ...] = ()
    originals: tuple[Floats, ...] = ()
    fronts: tuple[Front, ...] = ()

    @property
    def references(self) -> tuple[Floats, ...]:
        """The pictures that the artifacts' scores are against."""
        return self.originals or self.teachers


def produce(
    source: Source,
    labels: Labels,
    targets: Mapping[str, Sequence[str]],
    judged: Sequence[Judges],
    notify: Notify,
    *,
    rewrites: Choice = "safe",
    timing: Timing | None = None,
    quantize: Quantize | None = None,
    search: Search | None = None,
) -> list[Produced]:
    """Export, emit and verify. Every size's operators are checked before any file is written.

    Args:
        source: The generator.
        labels: What every artifact says of itself.
        targets: Target → precisions.
        judged: Judge pictures, one set a size.
        notify: Told about progress.
        rewrites: Which rewrites each target gets; see :mod:`pocketlens.pipeline.rewriting`. ``auto`` is measured at the
            first size, and kept at all of them.
        timing: How ``auto`` measures.
        quantize: How precisions with fewer bits are made; None for every layer as the precision says.
        search: How a plan is looked for, at the first size, where an artifact misses the gate; None not to.

    Raises:
        InputError: A rule of ``quantize`` fits nothing, or a value cannot be calibrated.
        UnsupportedError: A target cannot express an operator.
        VerificationError: A file does not compute what the teacher computes.
    """
    check_targets(targets)
    if source.styles:
        check_pack(source, targets)
        judged = [judges.styled(source.styles) for judges in judged]
    names = {target: names_for(rewrites, target) for target in targets}
    for judges in judged:
        check_size(source, *judges.pictures[0].shape[:2])
    wanted = [(target, precision) for target, precisions in targets.items() for precision in precisions]
    steps, done = len(judged) * (1 + len(wanted)), 0
    graphs, teachers = [], []
    shops: list[dict[tuple[str, str], Workshop]] = []
    choices: dict[str, Chosen] = {}
    risks: list[tuple[Extent, ...]] = []
    for judges in judged:
        height, width = judges.pictures[0].shape[:2]
        notify(f"graph {height}x{width}", done, steps)
        teachers.append(stages.references(source, judges))
        graph = stages.graph_of(source, height, width, judges, teachers[-1])
        risks.append(())
        if any(precision != "fp32" for _, precision in wanted):
            half = halved(graph, judges.calibrating(), judges, teachers[-1])
            graph, risks[-1] = half.path, half.risks
        if rewrites == "auto" and not choices:
            candidates = Candidates(source, graph, labels, judges, teachers[-1], quantize or Quantize())
            refuse(hub.load(graph), list(targets))
            choices = choose(candidates, targets, timing or Timing(), notify)
            names = {target: chosen.names for target, chosen in choices.items()}
        fitting = {(t, p): registry.fitting(names[t], p) for t, p in wanted}
        graphs.append({spot: stages.rewritten(graph, of, judges, teachers[-1]) for spot, of in fitting.items()})
        first = {spot: shop.start for spot, shop in shops[0].items()} if shops else {}
        shops.append(_workshops(source, graph, graphs[-1], quantize or Quantize(), judges, first, names))
        graphs[-1].update({spot: shop.made(shop.start) for spot, shop in shops[-1].items()})
        done += 1
    keys = [
        {(t, p): stages.artifact_key(of[t, p].path, t, p, labels, judges, source) for t, p in wanted}
        for of, judges in zip(graphs, judged, strict=True)
    ]
    for of, by_artifact in zip(graphs, keys, strict=True):
        for target, precision in sorted(k for k, key in by_artifact.items() if not is_cached("artifact", key)):
            if not is_coded(precision):
                refuse(hub.load(of[target, precision].path), [target])
    produced: list[Produced] = []
    fallback = Fallback(source, labels, search, notify)
    for judges, references, of, by_artifact, over in zip(judged, teachers, graphs, keys, risks, strict=True):
        emitted = []
        moving = any(stages.sees_flicker(precision) for _, precision in wanted)
        frames = stages.references(source, judges.frames()) if moving and judges.clip else []
        for (target, precision), key in by_artifact.items():
            height, width = judges.pictures[0].shape[:2]
            notify(f"{target}-{precision}-{height}x{width}", done, steps)
            clip = frames if stages.sees_flicker(precision) else ()
            one = stages.emit(of[target, precision], target, precision, labels, judges, references, key, clip)
            mine = shops[len(produced)].get((target, precision))
            emitted.append(one if mine is None else fallback.best(one, mine, judges, references, clip))
            done += 1
        produced.append(Produced(judges, tuple(references), tuple(emitted), tuple(choices.values()), over))
    produced = [replace(one, fronts=fallback.fronts) for one in produced]
    notify("verified", steps, steps)
    return produced


def _workshops(
    source: Source,
    graph: Path,
    rewritten: Mapping[tuple[str, str], Rewritten],
    quantize: Quantize,
    judges: Judges,
    first: Mapping[tuple[str, str], Plan],
    names: Mapping[str, Sequence[str]],
) -> dict[tuple[str, str], Workshop]:
    """What makes the graphs of each artifact in fewer bits, its operators and rules checked; plans of the first size stay."""
    found = {}
    for (target, precision), after in rewritten.items():
        if is_coded(precision):
            refuse(hub.load(after.path), [target])
            found[target, precision] = workshop(
                source, graph, after, target, precision, quantize, judges, first.get((target, precision)), names[target]
            )
    return found


def check_targets(targets: Mapping[str, Sequence[str]]) -> None:
    """Check that every target exists and has every precision asked for.

    Raises:
        InputError: One does not; the message lists what there is.
    """
    for target, wanted in targets.items():
        for precision in wanted:
            target_named(target).precision(precision)


def check_pack(source: Source, targets: Mapping[str, Sequence[str]]) -> None:
    """Check that a pack is asked for in floats alone: what its weights see depends on the style.

    Raises:
        InputError: Another precision is asked for, or two styles have one name.
    """
    coded = sorted({p for of in targets.values() for p in of if is_coded(p)})
    if coded:
        raise InputError(f"{source.name} is a style pack, which has no {', '.join(coded)}", do="ask for fp32 or fp16")
    if len(set(source.styles)) < len(source.styles):
        raise InputError(f"two styles of {source.name} have one name: {', '.join(source.styles)}", do="rename one")


def check_size(source: Source, height: int, width: int) -> None:
    """Check that a generator computes at a size.

    Raises:
        InputError: It needs multiples of something else; the message gives the nearest size.
    """
    if height % source.multiple or width % source.multiple:
        # A variant may need more than its architecture; only the loaded one knows.
        multiple = getattr(source.load(), "multiple", 1) if source.kind == "checkpoint" else source.multiple
        multiple = max(multiple, source.multiple)
        near = [max(multiple, round(edge / multiple) * multiple) for edge in (height, width)]
        raise InputError(
            f"{source.name} cannot compute at {height} x {width}: it needs multiples of {multiple}",
            do=f"use {near[0]} x {near[1]}",
        )
