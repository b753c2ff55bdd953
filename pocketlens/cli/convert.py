"""``pocketlens convert``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output
from pocketlens.files import artifact_bytes

if TYPE_CHECKING:
    from pocketlens.pipeline.stages.emit import VerifiedArtifact


@command(
    "convert builtin:cartoon -t tflite -t coreml -p fp16 -o out",
    "convert builtin:cartoon -t onnx --size 720x1280 --guided 4 -o large",
    "convert mine.onnx --size 256x256 --input-range -1 1 --output-range -1 1 -o out",
)
def convert(
    model: options.Model,
    target: options.Targets = None,
    precision: options.Precisions = None,
    out: Annotated[Path, options.out("Folder for the artifacts.")] = Path("artifacts"),
    *,
    taken: options.Taken,
    guided: options.Guided = 1,
    strokes: options.Strokes = 0.0,
    license: options.License = "unknown",
    judge: options.Judge = None,
    calibrate: options.Calibrate = None,
    rewrites: options.Rewrites = "safe",
    chip: options.Chips = None,
    threads: options.Threads = 2,
    json: options.Json = False,
) -> None:
    """Convert a model to the formats of its targets, and verify every file against the model.

    A file that cannot be made does not take the others with it: it is named with its reason, and the exit code is 1.
    """
    from pocketlens.pipeline.commands.convert import convert as convert_model
    from pocketlens.pipeline.rewrite_selection import parse

    selection = parse(rewrites)
    with output.progress() as notify:
        converted = convert_model(
            model,
            options.several(target),
            options.several(precision) or ("fp16",),
            out,
            architecture=taken.architecture,
            size=taken.height_width,
            ranges=taken.ranges,
            signature=taken.signature,
            guided=guided,
            strokes=strokes,
            license=license,
            judge=judge,
            calibrate=calibrate,
            chips=options.several(chip),
            rewrites=selection,
            threads=threads,
            notify=notify,
        )
    if json:
        failed = [artifact.document() for artifact in converted.failed]
        artifacts = [_plain(artifact) for artifact in converted]
        output.document({"artifacts": artifacts, "failed": failed, "warnings": converted.warnings})
    else:
        output.warn(converted.warnings)
        output.artifacts(converted, converted.failed)
        asked = len(converted) + len(converted.failed)
        output.say(f"{len(converted)} of {asked} files in {out}" if converted.failed else f"in {out}")
    if converted.failed:
        raise typer.Exit(1)


def _plain(artifact: "VerifiedArtifact") -> dict[str, object]:
    scores = artifact.verification.worst
    return {
        "id": artifact.spec.id,
        "path": artifact.path,
        "bytes": artifact_bytes(artifact.path),
        "psnr": scores.psnr,
        "ssim": scores.ssim,
        "largest_error": scores.largest_error,
        "verified_with": artifact.verification.runtime_info.document(),
        "rewrites": artifact.rewrites,
        "note": artifact.note,
    }
