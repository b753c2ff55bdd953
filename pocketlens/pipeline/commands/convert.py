"""``convert``: a model in, verified artifacts out, without a bundle around them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack, overload

from pocketlens.pipeline.commands.model import ModelOptions, chips_of, copy_artifact, evaluation_of
from pocketlens.pipeline.compile import compile_sizes
from pocketlens.pipeline.failed import FailedArtifact
from pocketlens.pipeline.rewrite_selection import RewriteSelection
from pocketlens.pipeline.search.rewrite_search import Timing
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.progress import Progress, silent
from pocketlens.targets import every_target


@dataclass(frozen=True)
class Converted(Sequence[VerifiedArtifact]):
    """What a conversion made: a sequence of the verified artifacts, which also says what failed.

    Attributes:
        artifacts: The verified artifacts, in the order of the targets.
        failed: Those that were asked for and could not be made, each with its reason.
        warnings: What is odd about the model, in sentences.
    """

    artifacts: tuple[VerifiedArtifact, ...]
    failed: tuple[FailedArtifact, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many artifacts were made."""
        return len(self.artifacts)

    @overload
    def __getitem__(self, index: int) -> VerifiedArtifact: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[VerifiedArtifact]: ...
    def __getitem__(self, index: int | slice) -> VerifiedArtifact | Sequence[VerifiedArtifact]:
        """An artifact by its place."""
        return self.artifacts[index]


def convert(
    model: str,
    targets: Sequence[str],
    precisions: Sequence[str],
    output: Path,
    *,
    chips: Sequence[str] = (),
    rewrites: RewriteSelection = "safe",
    threads: int = 2,
    notify: Progress = silent,
    **options: Unpack[ModelOptions],
) -> Converted:
    """Convert one model and verify every file.

    Args:
        model: A checkpoint, an ``.onnx`` or ``.tflite`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        targets: For instance ``["tflite", "coreml"]``; empty means every target that needs no extra of its own.
        precisions: For instance ``["fp32", "fp16"]``, for each target.
        output: The folder to write the artifacts to; files of the same names are replaced.
        chips: To compile for, of targets whose files are each for one; empty means every one that the target knows.
        rewrites: Which rewrites each target gets; see :mod:`pocketlens.pipeline.rewrite_selection`.
        threads: To measure with, where ``rewrites`` is ``auto``.
        notify: Told about progress.
        options: Of the model: architecture, size, ranges, license and pictures; see :class:`ModelOptions`.

    Returns:
        The artifacts, their paths in ``output``. A file that cannot be made does not take the others with it: it is
        in ``failed`` with its reason.

    Raises:
        InputError: The model, a target, a picture, the size or the licence is wrong.
        UnsupportedError: No target can express the model; nothing is written.
        VerificationError: No file computes what the model computes; nothing is written.
    """
    evaluation = evaluation_of(model, options)
    wanted = {target: list(precisions) for target in (targets or every_target())}
    choice = chips_of(wanted, chips)
    (compiled,) = compile_sizes(
        [evaluation], wanted, notify, rewrites=rewrites, timing=Timing(threads=threads), chips=choice
    )
    artifacts = tuple(replace(artifact, path=copy_artifact(artifact, output)) for artifact in compiled.artifacts)
    return Converted(artifacts, compiled.failed, compiled.warnings)
