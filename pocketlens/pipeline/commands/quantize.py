"""``quantize``: what plans of one model cost and gain on each target, and the artifacts of those that ship."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import refuse
from pocketlens.errors import InputError
from pocketlens.pipeline.commands.model import ModelOptions, copy_artifact, evaluation_of, with_precision
from pocketlens.pipeline.compile import base_graph
from pocketlens.pipeline.rewrite_selection import RewriteSelection, names_for
from pocketlens.pipeline.search.mixed_precision_search import (
    POINTS,
    SearchProblem,
    SearchSettings,
    search_mixed_precision,
)
from pocketlens.pipeline.search.pareto import ParetoFront
from pocketlens.pipeline.search.pareto_page import draw
from pocketlens.pipeline.search.rewrite_search import Timing
from pocketlens.pipeline.stages.emit import VerifiedArtifact, emit
from pocketlens.pipeline.stages.quantize import graph_quantizer
from pocketlens.pipeline.stages.rewrite import rewrite
from pocketlens.precisions import PRECISIONS
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Gate, Quantize

GATE = Gate(psnr=38, ssim=0.97)
"""Where nobody sees a difference side by side."""
PLOT = "pareto.png"
"""The plot's name in the output folder."""


@dataclass(frozen=True)
class Quantized:
    """What was found.

    Attributes:
        fronts: Of each target.
        artifacts: Of the plans that ship; only where an output folder was given.
        plot: The plot of the fronts; only where an output folder was given.
    """

    fronts: tuple[ParetoFront, ...]
    artifacts: tuple[VerifiedArtifact, ...] = ()
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
    rewrites: RewriteSelection = "safe",
    timing: Timing | None = None,
    notify: Progress = silent,
    **options: Unpack[ModelOptions],
) -> Quantized:
    """Search for the cheapest plan that passes a gate, target by target.

    Args:
        model: A checkpoint or ``.onnx`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        targets: For instance ``["tflite", "onnx"]``; empty means every one that has the precision.
        output: Where to write the verified artifacts of the plans that ship, and the plot, if anywhere.
        precision: A low-bit one.
        gate: What the worst picture must hold against the teacher.
        rules: Layers that are kept in any case.
        points: Real artifacts that are built of each target.
        rewrites: Which rewrites each target gets; ``auto``, which measures, is ``safe`` here.
        timing: How artifacts are timed; None not to, so that bytes stand for cost.
        notify: Told about progress.
        options: Of the model: architecture, size, ranges, license and pictures; see :class:`ModelOptions`.

    Raises:
        InputError: The model, a target, a picture, the size or the precision is wrong.
        UnsupportedError: A target cannot express an operator.
        VerificationError: A file does not compute what the model computes.
    """
    if precision in PRECISIONS and not PRECISIONS[precision].is_low_bit:
        raise InputError(f"{precision} quantizes nothing", do="choose for instance int8, w8 or palette6")
    evaluation = evaluation_of(model, options)
    specs = evaluation.specs(with_precision(targets, precision))
    names = {spec: names_for(rewrites, spec.target) for spec in specs}
    notify(f"graph {evaluation.size[0]}x{evaluation.size[1]}", 0, 1)
    graph = base_graph(evaluation, specs)
    fronts, artifacts = [], []
    for spec in specs:
        target_graph = rewrite(evaluation, graph.path, names[spec], precision)
        refuse(hub.load(target_graph.path), [spec.target])
        notify(f"{spec.target}-{precision}: which settings help", 0, 1)
        quantizer = graph_quantizer(
            evaluation, graph.path, target_graph, spec, rules or Quantize(), rewrites=names[spec]
        )
        if quantizer.is_trained:
            raise InputError(f"{model} has quantizers of its own", do="convert it: they are taken as they are")
        front = search_mixed_precision(
            SearchProblem(evaluation, quantizer), SearchSettings(gate, timing, points), notify
        )
        fronts.append(front)
        if output is not None and front.ships is not None:
            artifact = emit(evaluation, quantizer.quantize(front.ships.plan), spec)
            artifacts.append(replace(artifact, path=copy_artifact(artifact, output)))
    if output is None:
        return Quantized(tuple(fronts))
    draw(fronts, output / PLOT)
    return Quantized(tuple(fronts), tuple(artifacts), output / PLOT)
