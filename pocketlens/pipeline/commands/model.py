"""What convert, optimize and quantize begin with: one model at one size, with its pictures."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from pocketlens.bundle import licensing
from pocketlens.chips import ChipChoice
from pocketlens.converters.emitter import Labels
from pocketlens.converters.signature import Signature
from pocketlens.errors import InputError
from pocketlens.files import artifact_files, copy, whole
from pocketlens.models.source import RangeOverrides, resolve
from pocketlens.models.zoo import builtin
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.recipe import Filter
from pocketlens.recipe.filter import UNSAID
from pocketlens.targets import TARGETS, every_target, target_named


class ModelOptions(TypedDict, total=False):
    """What convert, optimize and quantize are told of a model, as keyword arguments; all of it may be left out.

    Attributes:
        architecture: The generator's architecture, for checkpoints.
        size: Height and width in pixels; 256 x 256 if left out.
        ranges: The values that the model takes and gives for black and white, where they are not its own.
        signature: Which input and output is the picture, and what the other inputs are fixed to.
        guided: How many times smaller, each way, the picture is that the generator computes on; its result is applied
            to the large picture (:mod:`pocketlens.converters.guided`). 1 if left out.
        strokes: With ``guided``, the share of the generator's own strokes that is drawn over it; 0 if left out.
        license: SPDX expression that goes into every artifact.
        judge: Folder of pictures that are scored; those that ship if left out.
        calibrate: Folder of pictures that quantization looks at; those that ship if left out.
    """

    architecture: str
    size: tuple[int, int]
    ranges: RangeOverrides
    signature: Signature
    guided: int
    strokes: float
    license: str
    judge: Path | None
    calibrate: Path | None


def evaluation_of(model: str, options: ModelOptions) -> Evaluation:
    """Prepare one model for artifacts without a bundle around them.

    Args:
        model: A checkpoint, an ``.onnx`` or ``.tflite`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        options: What else is known of it.

    Raises:
        InputError: The model, a picture, the size or the licence is wrong.
    """
    size, guided, strokes = options.get("size", (256, 256)), options.get("guided", 1), options.get("strokes", 0.0)
    signature = options.get("signature")
    if guided > 1 and signature and (signature.states or signature.second or signature.alpha):
        raise InputError("guided output has one picture in and one out", do="leave out guided, or the others")
    if strokes and guided == 1:
        raise InputError("strokes is of guided output", do="add guided, for instance 4")
    license = licensing.check(options.get("license", UNSAID))
    source = resolve(
        model,
        base=Path.cwd(),
        architecture=options.get("architecture", ""),
        ranges=options.get("ranges", (None, None)),
        size=(size[0] // guided, size[1] // guided),
        signature=signature,
    ).with_guided_output(guided, strokes)
    eval_set = read_eval_set(options.get("judge"), *size, calibrate=options.get("calibrate"))
    if license == UNSAID and source.kind == "builtin":
        license = builtin(source.name).license
    labels = Labels(re.sub(r"[^A-Za-z0-9._-]", "-", source.name), license=license)
    return Evaluation.prepare(source, eval_set, labels)


def signature_of(table: Filter) -> Signature:
    """What a recipe's ``[filter]`` says of its generator's inputs and outputs."""
    constants = tuple((name, str(value)) for name, value in table.constants.items())
    return Signature(
        table.input, table.output, constants, table.mean, table.deviation, table.input_order, table.output_order,
        tuple(table.states.items()), table.second, table.alpha,
    )  # fmt: skip


def with_precision(targets: Sequence[str], precision: str) -> dict[str, tuple[str]]:
    """Each target with one precision; of no targets every one that has it and needs no extra of its own."""
    able = [name for name in every_target() if precision in TARGETS[name].precision_names]
    return dict.fromkeys(targets or able or every_target(), (precision,))


def chips_of(targets: Iterable[str], names: Sequence[str]) -> ChipChoice:
    """The chips that are asked for by name.

    Raises:
        InputError: There are names, and none of the targets has chips.

    Example:
        >>> chips_of(["onnx", "qnn"], ["sm8650"]).names
        ('sm8650',)
    """
    if names and not any(target_named(name).chips for name in targets):
        raise InputError(f"chips are named, but {', '.join(targets)} files are for any", do="leave the chips out")
    return ChipChoice(tuple(names))


def copy_artifact(artifact: VerifiedArtifact, folder: Path) -> Path:
    """Copy an artifact of the cache into a folder, under the name of its spec.

    Returns:
        Where it is now.
    """
    for file in reversed(artifact_files(artifact.path)):  # an .xml last: it is what is loaded
        with whole(folder / file.name) as part:
            copy(file, part)
    return artifact.spec.path(folder)
