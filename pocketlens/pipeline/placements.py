"""Which accelerators compute the artifacts of a build, as its recipe asks for it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from pocketlens import accelerators
from pocketlens.accelerators import Request
from pocketlens.bundle.typed import build, parse
from pocketlens.errors import MissingError, VerificationError
from pocketlens.files import cached, lookup, sha256
from pocketlens.pipeline.compile import CompiledSize
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.helpers import Helpers
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.placement import ACCELERATORS, Accelerator, Placement
from pocketlens.progress import Progress
from pocketlens.recipe import Accelerators


def place_all(
    sizes: Sequence[CompiledSize], wanted: Accelerators, notify: Progress, helpers: Helpers | None = None
) -> list[CompiledSize]:
    """The same sizes, every artifact with its placements.

    Args:
        sizes: Whose artifacts are asked about.
        wanted: Which accelerators are asked.
        notify: Told about progress.
        helpers: Processes that ask ahead.

    Raises:
        VerificationError: A required accelerator does not compute an artifact wholly and rightly.
        MissingError: A required accelerator cannot be asked here; says what to install.
    """
    asked = [accelerator for accelerator in ACCELERATORS.values() if wanted.mode(accelerator.name) != "off"]
    helpers = helpers or Helpers()
    placed = []
    for size in sizes:
        artifacts: list[VerifiedArtifact] = []
        for artifact in size.artifacts:
            mine = [accelerator for accelerator in asked if artifact.spec.target in accelerator.targets]
            placements = []
            for accelerator in mine:
                notify(f"accelerators: {artifact.spec.id} on {accelerator.title}", len(artifacts), len(size.artifacts))
                with helpers.lock(artifact.spec, "placed"):
                    placements.append(_place(size.evaluation, artifact, accelerator))
                if wanted.mode(accelerator.name) == "require":
                    _require(artifact.spec.id, accelerator, placements[-1])
            artifacts.append(replace(artifact, placements=tuple(placements)))
        placed.append(replace(size, artifacts=tuple(artifacts)))
    return placed


def _place(evaluation: Evaluation, artifact: VerifiedArtifact, accelerator: Accelerator) -> Placement:
    """From the cache where the engine answered before. A crash, a hang and a missing engine are asked again."""
    engine = accelerators.engine(accelerator.name)
    if engine.missing():
        return accelerators.place(accelerator.name, Request(artifact.path))
    verification, pictures = artifact.verification, evaluation.eval_set
    worst, floors = verification.worst_index, artifact.spec.floors
    verified_there = verification.runtime_info.runtime == accelerator.runtime
    key = stage_key(
        artifact=sha256(artifact.path), accelerator=accelerator.name, engine=engine.version(),
        pictures=pictures.digest(), worst=worst, source=evaluation.source.key,
    )  # fmt: skip
    if (entry := lookup("placement", key)) is not None:
        return build(Placement, parse((entry / "placement.json").read_text(), "placement.json"), "placement.json")
    if verified_there:
        placement = accelerators.place(accelerator.name, Request(artifact.path))
        return replace(placement, psnr=round(verification.worst.psnr, 1))
    style = tuple(pictures.styles[worst]) if pictures.styles else None
    placement = accelerators.place(
        accelerator.name,
        Request(artifact.path, pictures.pictures[worst], style),
        evaluation.teacher_outputs[worst],
        floors.teacher or floors.file,
    )

    def keep(folder: Path) -> None:
        (folder / "placement.json").write_text(json.dumps(asdict(placement)))

    if placement.status != "unchecked":
        cached("placement", key, keep)
    return placement


def _require(artifact: str, accelerator: Accelerator, placement: Placement) -> None:
    where = f"[accelerators] {accelerator.key} = 'require'"
    if placement.status == "unchecked":
        raise MissingError(
            f"{where}, and {accelerator.title} cannot be asked here: {placement.reason}", do="or say 'report'"
        )
    if placement.status != "whole":
        why = f"; {placement.reason}" if placement.reason else ""
        raise VerificationError(
            f"{where}, and {artifact} is not whole on {accelerator.title}: {placement.text}{why}",
            do="choose another precision for it, or say 'report'",
        )
