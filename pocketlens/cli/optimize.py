"""``pocketlens optimize``."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import app, output

if TYPE_CHECKING:
    from pocketlens.pipeline.trials import Chosen, Trial


@app.command(epilog="Example: pocketlens optimize wave.npz -a fast-style -t onnx -t tflite -o out")
def optimize(
    model: Annotated[
        str, typer.Argument(help="A checkpoint, an .onnx file, hf:FOLDER, builtin:NAME or module:factory.")
    ],
    target: Annotated[list[str] | None, typer.Option("-t", "--target", help="onnx, openvino, tflite, coreml.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Also write the artifacts, with what was kept, to this folder.")
    ] = None,
    precision: Annotated[str, typer.Option("-p", "--precision", help="Timed, and written.")] = "fp32",
    architecture: Annotated[
        str, typer.Option("-a", "--architecture", help="For checkpoints of others: a name that zoo lists.")
    ] = "",
    size: Annotated[str, typer.Option(help="Height x width in pixels.")] = "256x256",
    input_range: output.InputRange = None,
    output_range: output.OutputRange = None,
    device: Annotated[str, typer.Option(help="Where to measure: local, ssh://user@host or adb:SERIAL.")] = "local",
    ssh_config: Annotated[Path | None, typer.Option(help="Another file than ~/.ssh/config.")] = None,
    benchmark_model: Annotated[Path | None, typer.Option(help="LiteRT's tool for the Android device.")] = None,
    threads: Annotated[int, typer.Option(min=1, max=output.MAX_THREADS, help="Threads to measure with.")] = 2,
    json: output.Json = False,
) -> None:
    """Try every exact rewrite on every target, timed in turns on a device, and keep those that are faster there.

    The choice is cached with the machine that it was measured on; build --rewrites auto takes it from there.
    """
    from pocketlens.bench.multi_device import open_device
    from pocketlens.pipeline.optimize import optimize as work

    where = None if device == "local" else open_device(device, ssh_config, benchmark_model)
    with output.progress() as notify:
        found = work(
            model,
            target or [],
            out,
            precision=precision,
            architecture=architecture,
            size=output.parse_size(size),
            ranges=(input_range, output_range),
            device=where,
            threads=threads,
            notify=notify,
        )
    if json:
        output.document({"choices": found.choices, "artifacts": [one.path for one in found.artifacts]})
        return
    choices(found.choices)
    if out is not None:
        output.artifacts(found.artifacts)
        output.say(f"in {out}")


def choices(found: "Iterable[Chosen]") -> None:
    """The table of everything that was tried, and a line for what each target keeps."""
    found = list(found)
    rows = [_row(trial) for chosen in found for trial in chosen.trials]
    output.table(["target", "rewrite", "before ms", "after", "times faster (95 %)", "kept"], rows)
    for chosen in found:
        where = f"measured on {chosen.device}" if chosen.device else "not measured here: the default set"
        output.say(f"{chosen.target}: {', '.join(chosen.names) or 'none'} ({where})")
    if noise := {chosen.disturbed for chosen in found if chosen.disturbed}:
        output.say(f"note: {'; '.join(sorted(noise))}; the choice is not kept in the cache")


def _row(trial: "Trial") -> list[str]:
    if trial.ratio is None:
        return [trial.target, trial.rewrite or "none", "-", "-", trial.note, "-"]
    times = [f"{ms:.1f}" for ms in (trial.before_ms, trial.after_ms)]
    faster = f"{trial.ratio:.2f} ({trial.low:.2f} to {trial.high:.2f})"
    return [trial.target, trial.rewrite, *times, faster, "yes" if trial.kept else "no"]
