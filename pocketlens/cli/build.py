"""``pocketlens build``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import app, output

if TYPE_CHECKING:
    from pocketlens.pipeline.build import Build


@app.command(epilog="Example: pocketlens build wave.toml -o wave.bundle")
def build(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The bundle: a folder or a .zip.")] = None,
    generator: Annotated[str | None, typer.Option(help="module:factory of your own, instead of the source.")] = None,
    bench: Annotated[bool, typer.Option(help="Measure on this machine and judge the budget.")] = True,
    threads: Annotated[int, typer.Option(min=1, max=output.MAX_THREADS, help="Threads to measure with.")] = 2,
    rewrites: output.Rewrites = None,
    json: output.Json = False,
) -> None:
    """Build a bundle: convert to every target, verify every file, measure here, write the report.

    Exit code 1 if a gate or budget does not hold; the bundle is written all the same, marked as failed.
    """
    from pocketlens.pipeline.build import build as work
    from pocketlens.pipeline.rewriting import parse

    chosen = None if rewrites is None else parse(rewrites)
    with output.progress() as notify:
        made = work(recipe, out, generator=generator, bench=bench, threads=threads, rewrites=chosen, notify=notify)
    report(made, json)


def report(made: "Build", json: bool) -> None:
    """Print what a build made, and stop with exit code 1 if something does not hold."""
    from pocketlens.bench.speedup_check import check_speedups
    from pocketlens.cli.bench import rows

    timed = {row["artifact"]: row for row in rows(made.document)} if made.document else {}
    if json:
        output.document(
            {
                "bundle": made.path,
                "artifacts": made.manifest.artifacts,
                "measured": list(timed.values()),
                "budgets": made.verdicts,
                "worth": check_speedups(made.document) if made.document else [],
                "verdict": made.verdict,
                "rewrites": made.choices,
                "plans": made.fronts,
                "student": made.student,
            }
        )
    else:
        table(made)
        if made.choices:
            from pocketlens.cli.optimize import choices

            choices(made.choices)
        for front in made.fronts:
            output.say(f"{front.text}")
        where = made.path if made.path.suffix == ".zip" else made.path / "report.html"
        output.say(f"{made.manifest.filter.name}: {made.verdict}; report: {where.resolve()}")
    if made.verdict != "pass":
        raise typer.Exit(1)


def table(made: "Build") -> None:
    """The table of a build: size, scores, gates, times and budgets of every artifact."""
    from pocketlens.bench.budget import overall
    from pocketlens.bench.speedup_check import check_speedups
    from pocketlens.cli.bench import rows

    timed = {row["artifact"]: row for row in rows(made.document)} if made.document else {}
    lines = []
    for artifact in made.manifest.artifacts:
        row = timed.get(artifact.id, {})
        own = [verdict for verdict in made.verdicts if verdict.artifact == artifact.id]
        lines.append(
            [
                artifact.id,
                output.megabytes(artifact.bytes),
                f"{artifact.scores.psnr:.1f}",
                f"{artifact.scores.ssim:.4f}",
                f"{artifact.scores.largest_error:.3f}",
                artifact.verdict if artifact.gates else "-",
                f"{row['p50_ms']:.1f}" if "p50_ms" in row else "-",
                f"{row['p95_ms']:.1f}" if "p95_ms" in row else "-",
                overall(own) if own else "-",
            ]
        )
    columns = ["artifact", "MB", "PSNR", "SSIM", "err", "gates", "p50 ms", "p95", "budget"]
    output.table(columns, lines)
    if made.student and made.student.told:
        output.say(f"compared with the student; it came to {made.student.told} of its own teacher when it was trained")
    for verdict in made.verdicts:
        if verdict.verdict in ("fail", "unstable"):
            output.say(f"{verdict.verdict}: {verdict.artifact}: {verdict.name}: {verdict.reason}")
    _risks(made)
    for one in check_speedups(made.document) if made.document else ():
        if not one.faster:
            output.say(f"{one.artifact}: {one.reason}")
    for result in made.document.subjects if made.document else ():
        if result.failure or result.skipped:
            output.say(f"{result.label}: {result.failure or result.skipped}")


def _risks(made: "Build") -> None:
    values = [risk for risk in made.manifest.risks if risk.kind == "value"]
    for risk in values:
        where = f"{risk.operator} {risk.node!r} at {risk.height}x{risk.width}"
        output.say(f"half precision ends at 65504: {where} gives {risk.largest:.3g} on calibration pictures")
    if sums := len(made.manifest.risks) - len(values):
        output.say(f"half precision: {sums} sums overflow on devices that add up in fp16; the report names them")
