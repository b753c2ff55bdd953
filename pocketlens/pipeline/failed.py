"""Artifacts that could not be made: each with its reason, beside those that were."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketlens.errors import PocketlensError, UnsupportedError
from pocketlens.targets import ArtifactSpec


@dataclass(frozen=True)
class FailedArtifact:
    """An artifact that was asked for and is not there.

    Attributes:
        spec: Which it is.
        error: Why: the target refuses the graph, the file does not compute what its teacher computes, or else.
    """

    spec: ArtifactSpec
    error: Exception

    @property
    def reason(self) -> str:
        """What is wrong, in words."""
        if isinstance(self.error, PocketlensError):
            return self.error.what
        return f"unexpected {type(self.error).__name__}: {self.error}"

    @property
    def do(self) -> str:
        """The next step."""
        if isinstance(self.error, PocketlensError):
            return self.error.do
        return "this is a defect of Pocketlens; ask for this file alone with --debug and report what it prints"

    @property
    def summary(self) -> str:
        """The reason in one line, for progress and tables."""
        return " ".join(self.reason.split())

    def document(self) -> dict[str, str]:
        """As JSON data.

        Example:
            >>> spec = ArtifactSpec("tflite", "fp16", (64, 64))
            >>> FailedArtifact(spec, UnsupportedError("1 operator", do="drop it")).document()
            {'id': 'tflite-fp16-64x64', 'reason': '1 operator', 'do': 'drop it'}
        """
        return {"id": self.spec.id, "reason": self.reason, "do": self.do}


def nothing_made(failed: Sequence[FailedArtifact]) -> Exception:
    """The error to raise where no artifact could be made: the one that all share, or one that lists all.

    Args:
        failed: At least one.
    """
    first = failed[0].error
    if len({str(artifact.error) for artifact in failed}) == 1 or not isinstance(first, PocketlensError):
        return first
    if all(isinstance(artifact.error, UnsupportedError) for artifact in failed):
        return UnsupportedError("\n".join(dict.fromkeys(artifact.reason for artifact in failed)), do=failed[0].do)
    lines = "\n".join(f"  {artifact.spec.id}: {artifact.summary}" for artifact in failed)
    return type(first)(f"none of {len(failed)} files could be made:\n{lines}", do=failed[0].do)
