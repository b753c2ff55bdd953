"""``pocketlens quantize``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import app, output

if TYPE_CHECKING:
    from pocketlens.pipeline.front import Front


@app.command(epilog="Example: pocketlens quantize wave.npz -a fast-style -t openvino -t tflite --psnr 38 -o out")
def quantize(
    model: Annotated[
        str, typer.Argument(help="A checkpoint, an .onnx file, hf:FOLDER, builtin:NAME or module:factory.")
    ],
    target: Annotated[
        list[str] | None, typer.Option("-t", "--target", help="onnx, openvino, tflite, coreml; all if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write the plot, and the artifacts that ship, to this folder.")
    ] = None,
    precision: Annotated[
        str, typer.Option("-p", "--precision", help="int8, int8-a16, w8, palette8, palette6 or palette4.")
    ] = "int8",
    psnr: Annotated[float, typer.Option(min=1.0, help="Gate: dB that the worst judge picture must reach.")] = 38.0,
    ssim: Annotated[float, typer.Option(min=0.01, max=1.0, help="Gate: SSIM that it must reach.")] = 0.97,
    flicker: Annotated[float | None, typer.Option(min=0.01, help="Gate: flicker of a clip, at most, of 255.")] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Layers that stay in float in any case: a regular expression.")
    ] = None,
    calibrate: Annotated[Path | None, typer.Option(help="A folder of pictures to calibrate with.")] = None,
    judge: Annotated[Path | None, typer.Option(help="A folder of other pictures, which judge.")] = None,
    points: Annotated[int, typer.Option(min=1, max=64, help="Artifacts to build of each target.")] = 6,
    bench: Annotated[bool, typer.Option(help="Time them in turns; without it size stands for cost.")] = True,
    architecture: Annotated[
        str, typer.Option("-a", "--architecture", help="For checkpoints of others: a name that zoo lists.")
    ] = "",
    size: Annotated[str, typer.Option(help="Height x width in pixels.")] = "256x256",
    threads: Annotated[int, typer.Option(min=1, max=output.MAX_THREADS, help="Threads to measure with.")] = 2,
    json: output.Json = False,
) -> None:
    """Find the layers that must stay in float: the cheapest plan that passes the gate, on each target.

    A fast pass ranks the layers on the calibration pictures; then real artifacts are built, judged and timed in turns. Exit
    code 1 if a target has no plan that passes.
    """
    from pocketlens.pipeline.choosing import Timing
    from pocketlens.pipeline.front_page import costliest
    from pocketlens.pipeline.quantize import quantize as work
    from pocketlens.recipe import Gate, Quantize, Rule

    rules = tuple(Rule(match=text, setting="float") for text in keep or ())
    with output.progress() as notify:
        found = work(
            model,
            target or [],
            out,
            precision=precision,
            gate=Gate(psnr=psnr, ssim=ssim, flicker=flicker),
            rules=Quantize(rules=rules),
            points=points,
            architecture=architecture,
            size=output.parse_size(size),
            calibrate=calibrate,
            judge=judge,
            timing=Timing(threads=threads) if bench else None,
            notify=notify,
        )
    if json:
        data = [{**vars(one), "text": one.text, "unbeaten": one.unbeaten} for one in found.fronts]
        output.document({"fronts": data, "artifacts": [one.path for one in found.artifacts], "plot": found.plot})
    else:
        for front in found.fronts:
            table(front)
            if where := costliest(front):
                output.say(f"most of the error comes from {where}")
        if found.plot is not None:
            names = [found.plot.name, *(one.path.name for one in found.artifacts)]
            output.say(f"in {out}: {', '.join(names)}")
    if not found.passes:
        raise typer.Exit(1)


def table(front: "Front") -> None:
    """The table of a front, and what it says."""
    from pocketlens.converters.quantization.settings import sentence
    from pocketlens.pipeline.front_page import COLUMNS, rows

    output.table(COLUMNS, rows(front), title=f"{front.id}: {front.limits}")
    for rule in front.ships.plan.rules if front.ships else ():
        output.say(f"  {rule.setting:9} {rule.match or 'every layer'} {rule.operator}".rstrip())
    output.say(front.text)
    if tried := sentence(front.settings):
        output.say(f"on the calibration pictures: {tried}")
    if front.disturbed:
        output.say(f"note: {front.disturbed}; this is not kept in the cache")
