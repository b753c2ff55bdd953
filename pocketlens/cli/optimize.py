"""``pocketlens optimize``."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output

if TYPE_CHECKING:
    from pocketlens.pipeline.search.rewrite_trials import RewriteChoice, RewriteTrial


@command("optimize builtin:cartoon -t onnx -t tflite", "optimize wave.npz -a fast-style -p int8 -o out")
def optimize(
    model: options.Model,
    target: options.Targets = None,
    precision: options.Precision = "fp32",
    out: Annotated[Path | None, options.out("Also write the artifacts, with what was kept, to this folder.")] = None,
    *,
    taken: options.Taken,
    license: options.License = "unknown",
    judge: options.Judge = None,
    calibrate: options.Calibrate = None,
    device: options.Device = "local",
    ssh_config: options.SshConfig = None,
    benchmark_model: options.BenchmarkModel = None,
    threads: options.Threads = 2,
    json: options.Json = False,
) -> None:
    """Try every exact rewrite on every target, timed in turns on a device, and keep those that are faster there.

    The choice is cached with the machine that it was measured on; build --rewrites auto takes it from there.
    """
    from pocketlens.bench.multi_device import open_device
    from pocketlens.pipeline.commands.optimize import optimize as optimize_model

    measured_on = None if device == "local" else open_device(device, ssh_config, benchmark_model)
    with output.progress() as notify:
        optimized = optimize_model(
            model,
            options.several(target),
            out,
            precision=precision,
            architecture=taken.architecture,
            size=taken.height_width,
            ranges=taken.ranges,
            signature=taken.signature,
            license=license,
            judge=judge,
            calibrate=calibrate,
            device=measured_on,
            threads=threads,
            notify=notify,
        )
    if json:
        paths = [artifact.path for artifact in optimized.artifacts]
        failed = [artifact.document() for artifact in optimized.failed]
        output.document(
            {"choices": optimized.choices, "artifacts": paths, "failed": failed, "warnings": optimized.warnings}
        )
    else:
        output.warn(optimized.warnings)
        show(optimized.choices)
        if out is not None:
            output.artifacts(optimized.artifacts, optimized.failed)
            output.say(f"in {out}")
        else:
            output.failures((failed.spec.id, failed.reason, failed.do) for failed in optimized.failed)
    if optimized.failed:
        raise typer.Exit(1)


def show(choices: "Iterable[RewriteChoice]") -> None:
    """A table of the rewrites that were tried on each target, and a line for what the target keeps."""
    choices = list(choices)
    for choice in choices:
        if choice.trials:
            columns = ["rewrite", "before ms", "after", "times faster (95 %)", "kept"]
            output.table(columns, [_row(trial) for trial in choice.trials], title=choice.target)
        where = f"measured on {choice.device}" if choice.device else "not measured here: the default set"
        output.say(f"{choice.target}: {', '.join(choice.names) or 'none'} ({where})")
    if noise := {choice.disturbed for choice in choices if choice.disturbed}:
        output.say(f"note: {'; '.join(sorted(noise))}; the choice is not kept in the cache")


def _row(trial: "RewriteTrial") -> list[str]:
    if trial.ratio is None:
        return [trial.rewrite or "none", "-", "-", trial.note, "-"]
    times = [f"{ms:.1f}" for ms in (trial.before_ms, trial.after_ms)]
    faster = f"{trial.ratio:.2f} ({trial.low:.2f} to {trial.high:.2f})"
    return [trial.rewrite, *times, faster, "yes" if trial.kept else "no"]
