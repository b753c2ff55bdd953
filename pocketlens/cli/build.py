"""``pocketlens build``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output

if TYPE_CHECKING:
    from pocketlens.pipeline.commands.build import Build


@command("build wave.toml -o wave.bundle")
def build(
    recipe: options.Recipe,
    out: Annotated[Path | None, options.out("The bundle: a folder or a .zip.", "NAME.bundle")] = None,
    generator: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FACTORY", help="Your own code, in place of the recipe's source; it is run."),
    ] = None,
    bench: options.Bench = True,
    threads: options.Threads = 2,
    rewrites: options.RecipesRewrites = None,
    json: options.Json = False,
) -> None:
    """Build a bundle: convert to every target, verify every file, measure here, write the report.

    Exit code 1 if a gate or budget does not hold, or if a file could not be made; the bundle is written all the same,
    marked as failed, and names the files that are not in it.
    """
    from pocketlens.pipeline.commands.build import build as build_bundle
    from pocketlens.pipeline.rewrite_selection import parse

    selection = None if rewrites is None else parse(rewrites)
    with output.progress() as notify:
        built = build_bundle(
            recipe, out, generator=generator, bench=bench, threads=threads, rewrites=selection, notify=notify
        )
    report(built, json)


def report(built: "Build", json: bool) -> None:
    """Print what a build made, and stop with exit code 1 if something does not hold."""
    from pocketlens.bench.speedup_check import check_speedups
    from pocketlens.cli.bench import rows

    timed = {row["artifact"]: row for row in rows(built.document)} if built.document else {}
    if json:
        output.document(
            {
                "bundle": built.path,
                "artifacts": built.manifest.artifacts,
                "failed": built.manifest.failed,
                "measured": list(timed.values()),
                "budgets": built.verdicts,
                "worth": check_speedups(built.document) if built.document else [],
                "left_out": built.left_out,
                "verdict": built.verdict,
                "rewrites": built.rewrite_choices,
                "plans": built.fronts,
                "student": built.student,
                "warnings": built.warnings,
            }
        )
    else:
        output.warn(built.warnings)
        table(built)
        if built.rewrite_choices:
            from pocketlens.cli.optimize import show

            show(built.rewrite_choices)
        for front in built.fronts:
            output.say(front.text)
        _missed(built)
        where = built.path if built.path.suffix == ".zip" else built.path / "report.html"
        left_out = f", without {len(built.manifest.failed)} of its files" if built.manifest.failed else ""
        output.say(f"{built.manifest.filter.name}: {built.verdict}{left_out}; report: {where.resolve()}")
    if built.verdict != "pass":
        raise typer.Exit(1)


def table(built: "Build") -> None:
    """The table of a build: size, scores, gates, times and budgets of every artifact."""
    from pocketlens.bench.budget import overall
    from pocketlens.bench.speedup_check import check_speedups
    from pocketlens.cli.bench import rows

    timed = {row["artifact"]: row for row in rows(built.document)} if built.document else {}
    lines = []
    for artifact in built.manifest.artifacts:
        row = timed.get(artifact.id, {})
        own = [verdict for verdict in built.verdicts if verdict.artifact == artifact.id]
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
    lines += [[left_out, "-", "-", "-", "-", "left out", "-", "-", "-"] for left_out in built.left_out]
    lines += [[failed.id, "-", "-", "-", "-", "failed", "-", "-", "-"] for failed in built.manifest.failed]
    columns = ["artifact", "MB", "PSNR", "SSIM", "err", "gates", "p50 ms", "p95", "budget"]
    output.table(columns, lines)
    for left_out, reason in built.left_out.items():
        output.say(f"{left_out} is left out: {reason}; to keep it: [bundle] keep_slower = true")
    output.failures((failed.id, failed.reason, failed.do) for failed in built.manifest.failed)
    for artifact in built.manifest.artifacts:
        if artifact.note:
            output.say(f"{artifact.id}: {artifact.note}")
    if built.student and built.student.scores_text:
        output.say(
            f"scores are against the student; against its teacher it had {built.student.scores_text} after its training"
        )
    output.placements({artifact.id: artifact.placements for artifact in built.manifest.artifacts})
    for verdict in built.verdicts:
        if verdict.verdict in ("fail", "unstable"):
            output.say(f"{verdict.verdict}: {verdict.artifact}: {verdict.name}: {verdict.reason}")
    _risks(built)
    for speedup in check_speedups(built.document) if built.document else ():
        if not speedup.faster and speedup.artifact not in built.left_out:
            output.say(f"{speedup.artifact}: {speedup.reason}")
    for result in built.document.results if built.document else ():
        if result.failure or result.skipped:
            output.say(f"{result.label}: {result.failure or result.skipped}")


def _missed(built: "Build") -> None:
    """Each limit of the gate that does not hold, and the files that it does not hold for."""
    from pocketlens.bench.report_text import gate_text

    missed: dict[str, list[str]] = {}
    for artifact in built.manifest.artifacts:
        for gate in artifact.gates:
            if gate.verdict == "fail":
                missed.setdefault(gate_text(gate), []).append(artifact.id)
    for text, names in missed.items():
        files = "every file" if len(names) == len(built.manifest.artifacts) > 1 else ", ".join(names)
        output.say(f"{text} does not hold: {files}")


def _risks(built: "Build") -> None:
    values = [risk for risk in built.manifest.risks if risk.kind == "value"]
    for risk in values:
        where = f"{risk.operator} {risk.node!r} at {risk.height}x{risk.width}"
        output.say(f"half precision ends at 65504: {where} gives {risk.largest:.3g} on calibration pictures")
    if sums := len(built.manifest.risks) - len(values):
        overflows = "1 sum overflows" if sums == 1 else f"{sums} sums overflow"
        output.say(f"half precision: {overflows} on devices that add up in fp16; see the report")
