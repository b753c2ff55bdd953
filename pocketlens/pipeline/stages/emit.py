"""The last stage: an artifact is written, played and compared; nothing is kept of one that is wrong."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens import images
from pocketlens.converters.verify import Verification
from pocketlens.files import cached, lookup, sha256
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.pipeline.stages.graph_outputs import play_graph
from pocketlens.pipeline.stages.rewrite import TargetGraph
from pocketlens.placement import Placement
from pocketlens.quality import Scores
from pocketlens.runtimes.adapter import RuntimeInfo
from pocketlens.targets import ArtifactSpec

if TYPE_CHECKING:
    from pocketlens.converters.quantization.plan import Plan


@dataclass(frozen=True)
class VerifiedArtifact:
    """One artifact that was written and verified.

    Attributes:
        spec: Which it is.
        path: The file (for OpenVINO the ``.xml``, its ``.bin`` beside it) or the ``.mlpackage`` or ``.aimodel``
            folder, in the cache.
        verification: What it computes beside its teacher.
        rewrites: Those that changed its graph, in order.
        plan: How its layers are quantized; None where they are floats.
        placements: How accelerators compute it, where that was asked.
        note: Why it is not in the form that was asked for; or empty.
    """

    spec: ArtifactSpec
    path: Path
    verification: Verification
    rewrites: tuple[str, ...] = ()
    plan: "Plan | None" = None
    placements: tuple[Placement, ...] = ()
    note: str = ""


def is_emitted(evaluation: Evaluation, graph: TargetGraph, spec: ArtifactSpec) -> bool:
    """Whether :func:`emit` would answer from the cache."""
    return lookup("artifact", _key(evaluation, graph, spec)) is not None


def emit(evaluation: Evaluation, graph: TargetGraph, spec: ArtifactSpec) -> VerifiedArtifact:
    """Write one artifact of a target's graph and verify it.

    Low-bit artifacts are also played on the clip: floats do not flicker.

    Raises:
        VerificationError: The file does not compute what the teacher computes.
    """
    is_low_bit = spec.arithmetic.is_low_bit

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.emitter import write_artifact

        path = spec.path(folder)
        write_artifact(hub.load(graph.path), spec, evaluation.labels, path)
        graph_outputs = play_graph(graph.path, evaluation.eval_set) if is_low_bit else None
        verification = evaluation.verify(
            path, spec.floors, graph=graph.path, graph_outputs=graph_outputs, with_clip=is_low_bit
        )
        data = {f.name: getattr(verification, f.name) for f in fields(verification) if f.name != "worst_picture"}
        (folder / "verification.json").write_text(json.dumps(data, default=asdict))
        images.write(folder / "worst.png", verification.worst_picture)

    entry = cached("artifact", _key(evaluation, graph, spec), make)
    data = json.loads((entry / "verification.json").read_text())
    data["played"] = tuple(data["played"])
    verification = Verification(
        scores=tuple(Scores(**scores) for scores in data.pop("scores")),
        worst=Scores(**data.pop("worst")),
        worst_picture=images.read(entry / "worst.png"),
        runtime_info=RuntimeInfo(**data.pop("runtime_info")),
        **data,
    )
    return VerifiedArtifact(spec, spec.path(entry), verification, graph.rewrites, graph.plan)


def _key(evaluation: Evaluation, graph: TargetGraph, spec: ArtifactSpec) -> str:
    return stage_key(
        graph=sha256(graph.path), target=spec.target, precision=spec.precision, labels=asdict(evaluation.labels),
        pictures=evaluation.eval_set.digest(), source=evaluation.source.key, chip=spec.chip, partly=spec.partly_on_cpu,
    )  # fmt: skip
