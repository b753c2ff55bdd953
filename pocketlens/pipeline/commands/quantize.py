"""``quantize``: what plans of one model cost and gain on each target, and the artifacts of those that ship."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Unpack

from pocketlens.errors import InputError, PocketlensError, RecipeError, VerificationError
from pocketlens.pipeline.commands.model import ModelOptions, chips_of, copy_artifact, evaluation_of, with_precision
from pocketlens.pipeline.compile import base_graph
from pocketlens.pipeline.failed import FailedArtifact, nothing_made
from pocketlens.pipeline.forms import ArtifactRequest, emit_first_right, first_form
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
from pocketlens.precisions import PRECISIONS
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Gate, Quantize
from pocketlens.targets import ArtifactSpec

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
        failed: The targets that could not be searched, each with its reason.
        warnings: What is odd about the model, in sentences.
    """

    fronts: tuple[ParetoFront, ...]
    artifacts: tuple[VerifiedArtifact, ...] = ()
    plot: Path | None = None
    failed: tuple[FailedArtifact, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether every target has a plan that passes."""
        return not self.failed and all(front.ships for front in self.fronts)


def quantize(
    model: str,
    targets: Sequence[str] = (),
    output: Path | None = None,
    *,
    precision: str = "int8",
    chips: Sequence[str] = (),
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
        model: A checkpoint, an ``.onnx`` or ``.tflite`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        targets: For instance ``["tflite", "onnx"]``; empty means every one that has the precision.
        output: Where to write the verified artifacts of the plans that ship, and the plot, if anywhere.
        precision: A low-bit one.
        chips: To compile for, of targets whose files are each for one; empty means every one that the target knows. A
            plan is searched for the first, and taken for all.
        gate: What the worst picture must hold against the teacher.
        rules: Layers that are kept in any case.
        points: Real artifacts that are built of each target.
        rewrites: Which rewrites each target gets; ``auto``, which measures, is ``safe`` here.
        timing: How artifacts are timed; None not to, so that bytes stand for cost.
        notify: Told about progress.
        options: Of the model: architecture, size, ranges, license and pictures; see :class:`ModelOptions`.

    Raises:
        InputError: The model, a target, a picture, the size or the precision is wrong.
        PocketlensError: No target could be searched; the error says why.
    """
    if precision in PRECISIONS and not PRECISIONS[precision].is_low_bit:
        raise InputError(f"{precision} quantizes nothing", do="choose for instance int8, w8 or palette6")
    evaluation = evaluation_of(model, options)
    wanted = with_precision(targets, precision)
    specs = evaluation.specs(wanted, chips_of(wanted, chips))
    notify(f"graph {evaluation.size[0]}x{evaluation.size[1]}", 0, 1)
    graph = base_graph(evaluation, specs)
    fronts: list[ParetoFront] = []
    artifacts: list[VerifiedArtifact] = []
    failed: list[FailedArtifact] = []
    settings = SearchSettings(gate, timing, points)
    for _, same_graph in groupby(specs, lambda spec: spec.target):
        spec, *other_chips = same_graph
        request = ArtifactRequest(evaluation, graph.path, spec, names_for(rewrites, spec.target), rules or Quantize())
        try:
            front, made = _searched(request, other_chips, settings, notify, wanted=output is not None)
        except RecipeError:
            raise
        except PocketlensError as error:
            failed.append(FailedArtifact(spec, error))
            notify(f"{spec.id} failed: {failed[-1].summary}", 0, 1)
            continue
        fronts.append(front)
        if output is not None:
            artifacts += (replace(artifact, path=copy_artifact(artifact, output)) for artifact in made)
    if not fronts:
        raise nothing_made(failed)
    if output is None:
        return Quantized(tuple(fronts), failed=tuple(failed), warnings=graph.warnings)
    draw(fronts, output / PLOT)
    return Quantized(tuple(fronts), tuple(artifacts), output / PLOT, tuple(failed), graph.warnings)


def _searched(
    request: ArtifactRequest,
    other_chips: Sequence[ArtifactSpec],
    settings: SearchSettings,
    notify: Progress,
    *,
    wanted: bool,
) -> tuple[ParetoFront, list[VerifiedArtifact]]:
    """What the search of one target found, and the artifacts of the plan that ships where they are wanted: of a target
    with chips one for each, all from one graph.
    """
    spec = request.spec
    notify(f"{spec.target}-{spec.precision}: which settings help", 0, 1)
    form = first_form(request)
    quantizer = form.quantizer
    assert quantizer is not None
    if quantizer.is_trained:
        name = request.evaluation.source.name
        raise RecipeError(f"{name} has quantizers of its own", do="convert it: they are taken as they are")
    try:  # a plan is looked for in a form whose file is right, if there is one
        form, _ = emit_first_right(form)
        quantizer = form.quantizer or quantizer
    except VerificationError as error:
        notify(f"{spec.target}-{spec.precision}: as asked it is wrong, so layers are kept: {error.what}", 0, 1)
    front = search_mixed_precision(SearchProblem(request.evaluation, quantizer), settings, notify)
    if not wanted or front.ships is None:
        return front, []
    graph = quantizer.quantize(front.ships.plan)
    made = [emit(request.evaluation, graph, each) for each in (spec, *other_chips)]
    return front, [replace(artifact, note=form.note) for artifact in made]
