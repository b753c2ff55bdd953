"""``pocketlens distill``."""

from pathlib import Path
from typing import Annotated

from pocketlens.cli import command, options, output


@command("distill wave.toml -o wave-student && pocketlens build wave-student/recipe.toml")
def distill(
    recipe: options.Recipe,
    out: Annotated[Path | None, options.out("Folder for the student, its recipe and previews.", "NAME-student")] = None,
    bench: options.Bench = True,
    threads: options.Threads = 2,
    json: options.Json = False,
) -> None:
    """Train a smaller generator to give the pictures of a recipe's source, and write the recipe that builds it.

    The recipe's [compress] table says how; without one its defaults hold. If a distillation was stopped or killed, the
    same command goes on where it was, and ends with the same weights.
    """
    from pocketlens.pipeline.commands.distill import distill as distill_recipe

    with output.progress() as notify:
        distilled = distill_recipe(recipe, out, threads=threads, bench=bench, notify=notify)
    if json:
        output.document(distilled)
        return
    compressed = distilled.compressed
    for line in compressed.layers:
        output.say(line)
    rows = [
        [
            f"{int(scores['step'])}",
            f"{scores['minutes']:.1f}",
            f"{scores['ssim']:.4f}",
            f"{scores['psnr']:.2f}",
            f"{scores['worst_ssim']:.4f}",
            f"{scores['likeness']:.3f}" if "likeness" in scores else "-",
        ]
        for scores in compressed.history
    ]
    output.table(
        ["step", "minutes", "SSIM", "PSNR", "worst", "likeness"],
        rows,
        title="On pictures that training never saw; minutes on 2 cores",
    )
    figures = (compressed.before, compressed.after)
    macs = [f"{cost.macs / 1e9:.3f}" if cost else "-" for cost in figures]
    parameters = [f"{cost.parameters:,}" if cost else "-" for cost in figures]
    times = [f"{ms:.1f}" if ms else "-" for ms in (distilled.teacher_ms, distilled.student_ms)]
    names = ("teacher", "student")
    output.table(
        ["", "GMACs", "parameters", "onnxruntime ms"],
        [list(row) for row in zip(names, macs, parameters, times, strict=True)],
    )
    if compressed.before and compressed.after.macs >= compressed.before.macs:
        output.say(
            "the student needs as much work as its teacher: make width or blocks smaller, or ask for a copy with macs"
        )
    output.say(f"pocketlens build {distilled.recipe}")
