"""From a verified artifact to what is measured."""

from pocketlens.bench.case import BenchmarkCase
from pocketlens.images import to_uint8
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.runtimes.adapter import runtime_for


def benchmark_case(
    evaluation: Evaluation, artifact: VerifiedArtifact, threads: int, *, name: str = "", runtime: str = ""
) -> BenchmarkCase:
    """An artifact with its first evaluation picture, which is checked before anything is timed.

    Args:
        evaluation: That it was verified with.
        artifact: The artifact.
        threads: To measure with.
        name: Its own id if left out.
        runtime: The first that plays it here if left out.

    Raises:
        MissingError: No runtime that plays it is installed.
    """
    return BenchmarkCase(
        artifact=name or artifact.spec.id,
        path=artifact.path,
        target=artifact.spec.target,
        precision=artifact.spec.precision,
        runtime=runtime or runtime_for(artifact.path).name,
        picture=evaluation.eval_set.pictures[0],
        expected=to_uint8(evaluation.teacher_outputs[0][..., :3]),  # a matte is verified, not timed
        min_psnr=artifact.verification.golden_psnr,
        threads=threads,
    )
