"""``quantize``: what plans of one model cost and gain on each target, and the artifacts of those that ship."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, refuse
from pocketlens.converters.rewrites import registry
from pocketlens.errors import InputError
from pocketlens.models.source import resolve
from pocketlens.pipeline import stages
from pocketlens.pipeline.choosing import Candidates, Timing
from pocketlens.pipeline.convert import copied
from pocketlens.pipeline.front import Front
from pocketlens.pipeline.front_page import draw
from pocketlens.pipeline.pictures import judges
from pocketlens.pipeline.produce import Notify, check_size, check_targets
from pocketlens.pipeline.quantizing import Workshop, check_rules, is_coded, start_for, with_settings
from pocketlens.pipeline.rewriting import names_for
from pocketlens.pipeline.searching import POINTS, Missed, Search, search
from pocketlens.pipeline.stages import Emitted
from pocketlens.recipe import Gate, Quantize
from pocketlens.targets import TARGETS

GATE = Gate(psnr=38, ssim=0.97)
"""Where nobody sees a difference side by side."""
PLOT = "front.png"
"""The plot's name in the output folder."""


@dataclass(frozen=True)
class Quantized:
    """What was found.

    Attributes:
        fronts: Of each target.
        artifacts: Of the plans that ship; only where an output folder was given.
        plot: The plot of the fronts; only where an output folder was given.
    """

    fronts: tuple[Front, ...]
    artifacts: tuple[Emitted, ...] = ()
    plot: Path | None = None

    @property
    def passes(self) -> bool:
        """Whether every target has a plan that passes."""
        return all(front.ships for front in self.fronts)


def quantize(
    model: str,
    targets: Sequence[str] = (),
    output: Path | None = None,
    *,
    precision: str = "int8",
    gate: Gate = GATE,
    rules: Quantize | None = None,
    points: int = POINTS,
    architecture: str = "",
    size: tuple[int, int] = (256, 256),
    calibrate: Path | None = None,
    judge: Path | None = None,
    timing: Timing | None = None,
    notify: Notify = lambda what, done, total: None,
) -> Quantized:
    """Search for the cheapest plan that passes a gate, target by target.

    Args:
        model: A checkpoint or ``.onnx`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        targets: For instance ``["tflite", "onnx"]``; empty means every one that has the precision.
        output: Where to write the verified artifacts of the plans that ship, and the plot, if anywhere.
        precision: One in fewer bits.
        gate: What the worst judge picture must hold against the teacher.
        rules: Layers that are kept in any case.
        points: Real artifacts that are built of each target.
        architecture: The generator's architecture, for checkpoints.
        size: Height and width in pixels.
        calibrate: Folder of pictures to calibrate and rank with; None for those that ship.
        judge: Folder of judge pictures; None for those that ship.
        timing: How artifacts are timed; None not to, so that bytes stand for cost.
        notify: Told about progress.

    Raises:
        InputError: The model, a target, a picture, the size or the precision is wrong.
        UnsupportedError: A target cannot express an operator.
        VerificationError: A file does not compute what the model computes.
    """
    if not is_coded(precision):
        raise InputError(f"{precision} codes nothing in fewer bits", do="choose for instance int8, w8 or palette6")
    targets = targets or [target for target in TARGETS if precision in TARGETS[target].precision_names]
    check_targets(dict.fromkeys(targets, (precision,)))
    source = resolve(model, base=Path.cwd(), architecture=architecture, size=size)
    check_size(source, *size)
    judged = judges(judge, *size, calibrate=calibrate)
    notify(f"graph {size[0]}x{size[1]}", 0, 1)
    teachers = stages.references(source, judged)
    graph = stages.graph_of(source, *size, judged, teachers)
    clip = stages.references(source, judged.frames())
    labels = Labels(stages.safe_name(source.name))
    of = Candidates(source, graph, labels, judged, teachers)
    fronts, artifacts = [], []
    for target in targets:
        names = names_for("safe", target)
        rewritten = stages.rewritten(graph, registry.fitting(names, precision), judged, teachers)
        refuse(hub.load(rewritten.path), [target])
        plan = start_for(rules or Quantize(), target, precision, rewritten)
        shop = Workshop(graph, rewritten, target, precision, plan, judged.calibrating(), names=tuple(names))
        if shop.is_trained:
            raise InputError(f"{model} has quantizers of its own", do="convert it: they are taken as they are")
        check_rules(shop)
        notify(f"{target}-{precision}: which settings help", 0, 1)
        shop = with_settings(shop, rules or Quantize())
        front = search(Missed(shop, of, clip), Search(gate, timing, points), notify)
        fronts.append(front)
        if output is not None and front.ships is not None:
            made = shop.made(front.ships.plan)
            key = stages.artifact_key(made.path, target, precision, labels, judged, source)
            artifacts.append(copied(stages.emit(made, target, precision, labels, judged, teachers, key, clip), output))
    if output is None:
        return Quantized(tuple(fronts))
    draw(fronts, output / PLOT)
    return Quantized(tuple(fronts), tuple(artifacts), output / PLOT)
