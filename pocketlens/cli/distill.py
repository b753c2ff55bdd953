"""``pocketlens distill``."""

from pathlib import Path
from typing import Annotated

import typer

from pocketlens.cli import app, output


@app.command(
    epilog="Example: pocketlens distill wave.toml -o wave-student && pocketlens build wave-student/recipe.toml"
)
def distill(
    recipe: Annotated[Path, typer.Argument(help="The recipe, with a [compress] table or without one.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the student; NAME-student if left out.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=output.MAX_THREADS, help="Threads to train with.")] = 2,
    bench: Annotated[bool, typer.Option(help="Measure teacher and student in turns at the end.")] = True,
    json: output.Json = False,
) -> None:
    """Train a smaller generator to give the pictures of a recipe's source, and write the recipe that builds it.

    Stopped or killed, the same command goes on where it was, and ends with the same weights.
    """
    from pocketlens.pipeline.commands.distill import distill as work

    with output.progress() as notify:
        made = work(recipe, out, threads=threads, bench=bench, notify=notify)
    if json:
        output.document(made)
        return
    done = made.compressed
    for line in done.layers:
        output.say(line)
    rows = [
        [
            f"{int(one['step'])}",
            f"{one['minutes']:.1f}",
            f"{one['ssim']:.4f}",
            f"{one['psnr']:.2f}",
            f"{one['worst_ssim']:.4f}",
            f"{one['likeness']:.3f}" if "likeness" in one else "-",
        ]
        for one in done.history
    ]
    output.table(
        ["step", "minutes", "SSIM", "PSNR", "worst", "likeness"],
        rows,
        title="On pictures that training never saw; minutes on 2 cores",
    )
    macs = [f"{one.macs / 1e9:.3f}" if one else "-" for one in (done.before, done.after)]
    parameters = [f"{one.parameters:,}" if one else "-" for one in (done.before, done.after)]
    times = [f"{one:.1f}" if one else "-" for one in (made.teacher_ms, made.student_ms)]
    names = ("teacher", "student")
    output.table(
        ["", "GMACs", "parameters", "onnxruntime ms"],
        [list(row) for row in zip(names, macs, parameters, times, strict=True)],
    )
    if done.before and done.after.macs >= done.before.macs:
        output.say(
            "the student needs as much work as its teacher: make width or blocks smaller, or ask for a copy with macs"
        )
    output.say(f"pocketlens build {made.recipe}")
