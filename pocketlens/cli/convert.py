"""``pocketlens convert``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import app, output
from pocketlens.files import artifact_bytes

if TYPE_CHECKING:
    from pocketlens.pipeline.stages import Emitted


@app.command(
    epilog="Example: pocketlens convert mine.onnx --size 256x256 --input-range -1 1 --output-range -1 1 -t tflite -o out"
)
def convert(
    model: Annotated[
        str, typer.Argument(help="A checkpoint, an .onnx file, hf:FOLDER, builtin:NAME or module:factory.")
    ],
    target: Annotated[list[str] | None, typer.Option("-t", "--target", help="onnx, openvino, tflite, coreml.")] = None,
    precision: Annotated[
        list[str] | None, typer.Option("-p", "--precision", help="fp32, fp16; see docs/precisions.md.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the artifacts.")] = Path("artifacts"),
    architecture: Annotated[
        str, typer.Option("-a", "--architecture", help="For checkpoints of others: a name that zoo lists.")
    ] = "",
    size: Annotated[str, typer.Option(help="Height x width in pixels.")] = "256x256",
    input_range: output.InputRange = None,
    output_range: output.OutputRange = None,
    license: Annotated[str, typer.Option(help="SPDX expression of the weights.")] = "unknown",
    rewrites: output.Rewrites = None,
    json: output.Json = False,
) -> None:
    """Convert a model and verify every file against it; all targets in fp16 if nothing is chosen."""
    from pocketlens.pipeline.convert import convert as work
    from pocketlens.pipeline.rewriting import parse

    chosen = parse(rewrites or "safe")
    with output.progress() as notify:
        emitted = work(
            model,
            target or [],
            precision or ["fp16"],
            out,
            architecture=architecture,
            size=output.parse_size(size),
            ranges=(input_range, output_range),
            license=license,
            rewrites=chosen,
            notify=notify,
        )
    if json:
        output.document({"artifacts": [_plain(one) for one in emitted]})
        return
    output.artifacts(emitted)
    output.say(f"in {out}")


def _plain(emitted: "Emitted") -> dict[str, object]:
    scores = emitted.verified.worst
    return {
        "id": emitted.id,
        "path": emitted.path,
        "bytes": artifact_bytes(emitted.path),
        "psnr": scores.psnr,
        "ssim": scores.ssim,
        "largest_error": scores.largest_error,
        "verified_with": emitted.verified.runtime_info.document(),
        "rewrites": emitted.rewrites,
    }
