"""``convert``: a model in, verified artifacts out, without a bundle around them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from pocketlens.pipeline.commands.model import ModelOptions, copy_artifact, evaluation_of
from pocketlens.pipeline.compile import compile_sizes
from pocketlens.pipeline.rewrite_selection import RewriteSelection
from pocketlens.pipeline.search.rewrite_search import Timing
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.progress import Progress, silent
from pocketlens.targets import TARGETS


def convert(
    model: str,
    targets: Sequence[str],
    precisions: Sequence[str],
    output: Path,
    *,
    rewrites: RewriteSelection = "safe",
    threads: int = 2,
    notify: Progress = silent,
    **options: Unpack[ModelOptions],
) -> list[VerifiedArtifact]:
    """Convert one model and verify every file.

    Args:
        model: A checkpoint or ``.onnx`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        targets: For instance ``["tflite", "coreml"]``; empty means every target.
        precisions: For instance ``["fp32", "fp16"]``, for each target.
        output: The folder to write the artifacts to; files of the same names are replaced.
        rewrites: Which rewrites each target gets; see :mod:`pocketlens.pipeline.rewrite_selection`.
        threads: To measure with, where ``rewrites`` is ``auto``.
        notify: Told about progress.
        options: Of the model: architecture, size, ranges, license and pictures; see :class:`ModelOptions`.

    Returns:
        The artifacts, their paths in ``output``.

    Raises:
        InputError: The model, a target, a picture, the size or the licence is wrong.
        UnsupportedError: A target cannot express an operator; nothing is written.
        VerificationError: A file does not compute what the model computes; nothing is written.
    """
    evaluation = evaluation_of(model, options)
    wanted = {target: list(precisions) for target in (targets or TARGETS)}
    (compiled,) = compile_sizes([evaluation], wanted, notify, rewrites=rewrites, timing=Timing(threads=threads))
    return [replace(artifact, path=copy_artifact(artifact, output)) for artifact in compiled.artifacts]
