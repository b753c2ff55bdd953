"""``convert``: a model in, verified artifacts out, without a bundle around them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pocketlens.bundle import licensing
from pocketlens.converters.emitter import Labels
from pocketlens.files import artifact_files, copy, whole
from pocketlens.models.source import Overruled, resolve
from pocketlens.pipeline.choosing import Timing
from pocketlens.pipeline.pictures import judges
from pocketlens.pipeline.produce import Notify, produce
from pocketlens.pipeline.rewriting import Choice
from pocketlens.pipeline.stages import Emitted, safe_name
from pocketlens.targets import TARGETS


def convert(
    model: str,
    targets: Sequence[str],
    precisions: Sequence[str],
    output: Path,
    *,
    architecture: str = "",
    size: tuple[int, int] = (256, 256),
    ranges: Overruled = (None, None),
    license: str = "unknown",
    rewrites: Choice = "safe",
    threads: int = 2,
    notify: Notify = lambda what, done, total: None,
) -> list[Emitted]:
    """Convert one model and verify every file.

    Args:
        model: A checkpoint or ``.onnx`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        targets: For instance ``["tflite", "coreml"]``; empty means every target.
        precisions: For instance ``["fp32", "fp16"]``, for each target.
        output: The folder to write the artifacts to; files of the same names are replaced.
        architecture: The generator's architecture, for checkpoints.
        size: Height and width in pixels.
        ranges: The values that the model takes and gives for black and white, where they are not its own.
        license: SPDX expression that goes into every artifact.
        rewrites: Which rewrites each target gets; see :mod:`pocketlens.pipeline.rewriting`.
        threads: To measure with, where ``rewrites`` is ``auto``.
        notify: Told about progress.

    Returns:
        The artifacts, their paths in ``output``.

    Raises:
        InputError: The model, a target, the size or the licence is wrong.
        UnsupportedError: A target cannot express an operator; nothing is written.
        VerificationError: A file does not compute what the model computes; nothing is written.
    """
    source = resolve(model, base=Path.cwd(), architecture=architecture, ranges=ranges, size=size)
    labels = Labels(safe_name(source.name), license=licensing.check(license))
    wanted = {target: list(precisions) for target in (targets or TARGETS)}
    timing = Timing(threads=threads)
    (produced,) = produce(source, labels, wanted, [judges(None, *size)], notify, rewrites=rewrites, timing=timing)
    return [copied(emitted, output) for emitted in produced.artifacts]


def copied(emitted: Emitted, output: Path) -> Emitted:
    """An artifact of the cache, copied to a folder."""
    for file in reversed(artifact_files(emitted.path)):  # an .xml last: it is what is loaded
        with whole(output / file.name) as part:
            copy(file, part)
    return replace(emitted, path=output / emitted.path.name)
