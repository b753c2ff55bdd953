"""A student's artifacts are verified against the student, and scored against the teacher that it was distilled from."""

from dataclasses import replace

from pocketlens.converters.verify import score
from pocketlens.images import to_uint8
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.runtimes.session import open_artifact


def score_against_original(evaluation: Evaluation, artifact: VerifiedArtifact) -> VerifiedArtifact:
    """An artifact with its scores against :attr:`Evaluation.expected_outputs`; as it is where the source is no student.

    That the file computes what its student computes was verified before, and golden pictures stay the student's.
    Flicker too is the student's: what its artifact adds to the change between frames.
    """
    if evaluation.original is None:
        return artifact
    with open_artifact(artifact.path) as session:
        played = artifact.verification.played
        outputs = [session.floats(evaluation.eval_set.pictures[i]) for i in played]
    scores, worst, index = score(outputs, [evaluation.expected_outputs[i] for i in played])
    verification = replace(
        artifact.verification, scores=scores, worst=worst, worst_index=played[index],
        worst_picture=to_uint8(outputs[index]),
    )  # fmt: skip
    return replace(artifact, verification=verification)
