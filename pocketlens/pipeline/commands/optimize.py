"""``optimize``: which rewrites are faster for a model on a device, measured; and the artifacts with them, if wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from pocketlens.bench.devices.device import Device
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import refuse
from pocketlens.errors import PocketlensError
from pocketlens.pipeline.commands.model import ModelOptions, copy_artifact, evaluation_of, with_precision
from pocketlens.pipeline.compile import base_graph
from pocketlens.pipeline.failed import FailedArtifact, nothing_made
from pocketlens.pipeline.search.rewrite_search import RewriteCandidates, Timing, search_rewrites
from pocketlens.pipeline.search.rewrite_trials import RewriteChoice
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.progress import Progress, silent


@dataclass(frozen=True)
class Optimized:
    """What was found.

    Attributes:
        choices: Of each target.
        artifacts: With the rewrites that were kept; only where an output folder was given.
        failed: The artifacts that could not be made, each with its reason.
        warnings: What is odd about the model, in sentences.
    """

    choices: tuple[RewriteChoice, ...]
    artifacts: tuple[VerifiedArtifact, ...] = ()
    failed: tuple[FailedArtifact, ...] = ()
    warnings: tuple[str, ...] = ()


def optimize(
    model: str,
    targets: Sequence[str] = (),
    output: Path | None = None,
    *,
    precision: str = "fp32",
    device: Device | None = None,
    threads: int = 2,
    notify: Progress = silent,
    **options: Unpack[ModelOptions],
) -> Optimized:
    """Measure which rewrites are faster, target by target, and keep those.

    Args:
        model: A checkpoint, an ``.onnx`` or ``.tflite`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        targets: For instance ``["tflite", "onnx"]``; empty means every target that has the precision.
        output: Where to write the verified artifacts with what was kept, if anywhere.
        precision: That is timed and written.
        device: Where to measure; None for this machine.
        threads: To measure with.
        notify: Told about progress.
        options: Of the model: architecture, size, ranges, license and pictures; see :class:`ModelOptions`.

    Raises:
        InputError: The model, a target, a picture, the size or the licence is wrong.
        UnsupportedError: No target can express the model.
    """
    evaluation = evaluation_of(model, options)
    wanted = with_precision(targets, precision)
    specs = evaluation.specs(wanted)
    notify(f"graph {evaluation.size[0]}x{evaluation.size[1]}", 0, 1)
    graph = base_graph(evaluation, specs)
    candidates = RewriteCandidates(evaluation, graph.path)
    failed: list[FailedArtifact] = []
    artifacts: list[VerifiedArtifact] = []
    for spec in specs:
        try:
            refuse(hub.load(graph.path), [spec.target])
        except PocketlensError as error:
            failed.append(FailedArtifact(spec, error))
    able = [spec for spec in specs if spec not in {artifact.spec for artifact in failed}]
    if not able:
        raise nothing_made(failed)
    timed = {spec.target: wanted[spec.target] for spec in able}
    choices = search_rewrites(candidates, timed, Timing(device, threads), notify)
    notify("measured", 1, 1)
    for spec in able if output is not None else ():
        try:
            artifacts.append(candidates.emit(spec, choices[spec.target].names))
        except PocketlensError as error:
            failed.append(FailedArtifact(spec, error))
    return Optimized(
        tuple(choices.values()),
        tuple(replace(artifact, path=copy_artifact(artifact, output)) for artifact in artifacts if output is not None),
        tuple(failed),
        graph.warnings,
    )
