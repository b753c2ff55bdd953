"""What convert, optimize and quantize begin with: one model at one size, with its pictures."""

import re
from pathlib import Path

from pocketlens.bundle import licensing
from pocketlens.converters.emitter import Labels
from pocketlens.files import artifact_files, copy, whole
from pocketlens.models.source import RangeOverrides, resolve
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.emit import VerifiedArtifact


def evaluation_of(
    model: str,
    *,
    architecture: str,
    size: tuple[int, int],
    ranges: RangeOverrides,
    license: str,
    judge: Path | None,
    calibrate: Path | None,
) -> Evaluation:
    """Prepare one model for artifacts without a bundle around them.

    Args:
        model: A checkpoint or ``.onnx`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        architecture: The generator's architecture, for checkpoints.
        size: Height and width in pixels.
        ranges: The values that the model takes and gives for black and white, where they are not its own.
        license: SPDX expression that goes into every artifact.
        judge: Folder of pictures that are scored; None for those that ship.
        calibrate: Folder of pictures that quantization looks at; None for those that ship.

    Raises:
        InputError: The model, a picture, the size or the licence is wrong.
    """
    source = resolve(model, base=Path.cwd(), architecture=architecture, ranges=ranges, size=size)
    labels = Labels(re.sub(r"[^A-Za-z0-9._-]", "-", source.name), license=licensing.check(license))
    return Evaluation.prepare(source, read_eval_set(judge, *size, calibrate=calibrate), labels)


def copy_artifact(artifact: VerifiedArtifact, folder: Path) -> Path:
    """Copy an artifact of the cache into a folder, under the name of its spec.

    Returns:
        Where it is now.
    """
    for file in reversed(artifact_files(artifact.path)):  # an .xml last: it is what is loaded
        with whole(folder / file.name) as part:
            copy(file, part)
    return artifact.spec.path(folder)
