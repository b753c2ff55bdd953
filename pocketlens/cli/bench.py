"""``pocketlens bench``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pocketlens.cli import command, options, output
from pocketlens.errors import InputError

if TYPE_CHECKING:
    from pocketlens.bench.budget import BudgetVerdict, PerformanceBudget, Verdict
    from pocketlens.bench.document import Document
    from pocketlens.bench.multi_device import DeviceOutcome
    from pocketlens.bundle.read import Bundle


@command(
    "bench wave.bundle --fps 30",
    "bench wave.bundle --fps 30 --device local --device ssh://pi@raspberrypi.local",
    "bench wave.bundle --threads 1,2 --accelerator xnnpack,none",
)
def bench(
    bundle: options.Bundle,
    fps: options.Fps = None,
    frame_ms: Annotated[
        float | None, typer.Option(metavar="MS", min=0.001, help="Budget: milliseconds a frame, at p95.")
    ] = None,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Budget: snap-lens, tiktok-effect or youtube-shorts.")
    ] = "",
    device: options.Devices = None,
    ssh_config: options.SshConfig = None,
    benchmark_model: options.BenchmarkModel = None,
    artifact: options.Artifacts = None,
    runtime: options.Runtimes = None,
    accelerator: options.Accelerators = None,
    compute_precision: options.ComputePrecisions = None,
    threads: options.SeveralThreads = None,
    seconds: Annotated[float, typer.Option(metavar="S", min=0.1, help="At least this long for each artifact.")] = 3.0,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="M", min=0.1, help="Each artifact alone, this long; the last minute is judged."),
    ] = None,
    cooldown: Annotated[
        float, typer.Option(metavar="S", min=0, help="With --minutes: seconds between artifacts, at most.")
    ] = 60.0,
    out: Annotated[
        Path | None, options.out("Also write the measurement document here; of several devices, a folder.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write an HTML page with the figures of all devices.")
    ] = None,
    history: options.History = None,
    json: options.Json = False,
) -> None:
    """Measure a bundle on devices and judge its budget; if no budget is given here, the one of its recipe.

    Of --runtime, --accelerator, --compute-precision and --threads, every combination that plays an artifact is
    measured. Each picture is checked before it is timed. Exit code 1 if a budget breaks or the figures cannot tell, 3
    if a device cannot be reached or answers wrongly; what was measured on the others is kept.
    """
    from pocketlens.bench.document import BenchmarkSettings
    from pocketlens.bench.multi_device import DeviceOutcome, bench_devices, file_name, open_devices
    from pocketlens.bench.selection import Selection
    from pocketlens.bundle.read import open_bundle
    from pocketlens.pipeline.budgets import budget_of

    names = list(dict.fromkeys(device or ["local"]))
    devices = [device for name in names for device in open_devices(name, ssh_config, benchmark_model)]
    selection = Selection(
        options.several(artifact) or None,
        options.several(runtime) or None,
        options.thread_counts(threads),
        options.several(accelerator),
        options.several(compute_precision),
    )
    settings = BenchmarkSettings(seconds=seconds, max_seconds=max(60.0, 4 * seconds))
    if minutes is not None:
        settings = BenchmarkSettings(
            seconds=60 * minutes,
            max_seconds=60 * minutes,
            block_seconds=1.0,
            sustained=True,
            cooldown_seconds=cooldown,
        )

    outcomes: list[DeviceOutcome] = []
    unwritten: list[InputError] = []

    def keep(outcome: DeviceOutcome) -> None:
        outcomes.append(outcome)
        if outcome.document is None:
            return
        name = file_name(outcome.device)
        paths = [out if len(devices) == 1 else out / f"{name}.json"] if out is not None else []
        if history is not None:
            paths.append(history / f"{outcome.document.environment.time.replace(':', '')}-{name}.json")
        for path in paths:
            try:
                outcome.document.write(path)
            except InputError as error:  # a full disk; the figures are shown all the same
                unwritten.append(error)

    with open_bundle(bundle) as opened:
        budget = budget_of(opened, preset=preset, fps=fps, frame_ms=frame_ms)
        try:
            with output.progress() as notify:
                bench_devices(
                    opened,
                    devices,
                    selection,
                    settings=settings,
                    progress=lambda name, p: notify(f"{name}: {p.stage}", int(100 * p.share), 100),
                    keep=keep,
                )
        except BaseException:
            if outcomes:  # what was measured until then is shown, whatever came after it
                _show(outcomes, budget, json)
            raise
        verdict = _show(outcomes, budget, json)
        if report is not None and any(outcome.document is not None for outcome in outcomes):
            _write_report(report, opened, outcomes, budget)
    if unwritten:
        raise unwritten[0]
    if any(outcome.error is not None for outcome in outcomes):
        raise typer.Exit(3)
    if verdict in ("fail", "unstable"):
        raise typer.Exit(1)


def _show(outcomes: "list[DeviceOutcome]", budget: "PerformanceBudget", json: bool) -> "Verdict":
    """Print what was measured, and return the verdict of all devices."""
    verdict = combined([outcome.verdict(budget) for outcome in outcomes])
    if json:
        measured = [_plain(outcome, budget) for outcome in outcomes]
        subjects = [
            {"device": of_device["device"], **row} for of_device in measured for row in of_device.pop("subjects")
        ]
        output.document({"devices": measured, "subjects": subjects, "verdict": verdict})
    else:
        for outcome in outcomes:
            _show_device(outcome, budget, len(outcomes) > 1)
        judged = not budget.empty or verdict == "fail"
        output.say(f"budget: {verdict if judged else 'none was given'}")
    return verdict


def _write_report(path: Path, bundle: "Bundle", outcomes: "list[DeviceOutcome]", budget: "PerformanceBudget") -> None:
    from pocketlens.bench.budget import judge_all
    from pocketlens.bench.gallery import golden_gallery
    from pocketlens.bench.report import DeviceReport, render
    from pocketlens.files import write

    first, *others = sorted(outcomes, key=lambda outcome: outcome.document is None)
    assert first.document is not None
    parts = [
        DeviceReport(
            other.device,
            other.document,
            judge_all(other.document, budget) if other.document else (),
            str(other.error or ""),
        )
        for other in others
    ]
    verdicts, pictures = judge_all(first.document, budget), golden_gallery(bundle, outcomes)
    write(path, render(bundle.manifest, first.document, verdicts, pictures, budget, others=parts))


def combined(verdicts: "list[Verdict]") -> "Verdict":
    """The worst verdict: fail, unstable, pass; ``"not measured"`` only if nothing else is there."""
    order: tuple[Verdict, ...] = ("fail", "unstable", "pass")
    return next((verdict for verdict in order if verdict in verdicts), "not measured")


def _plain(outcome: "DeviceOutcome", budget: "PerformanceBudget") -> dict[str, Any]:
    from pocketlens.bench.budget import judge_all

    document, error = outcome.document, outcome.error
    return {
        "device": outcome.device,
        "error": {"what": error.what, "do": error.do} if error else None,
        "emulated": document.environment.emulated if document else None,
        "subjects": rows(document) if document else [],
        "verdicts": judge_all(document, budget) if document else [],
        "verdict": outcome.verdict(budget),
        "notes": notes(document) if document else [],
    }


def _show_device(outcome: "DeviceOutcome", budget: "PerformanceBudget", titled: bool) -> None:
    from pocketlens.bench.budget import judge_all

    document = outcome.document
    if titled:
        processor = document.environment.host.cpu if document else "nothing was measured"
        output.say(f"{outcome.device.removesuffix(':')}: {processor}")
    if document is None:
        output.say(f"error: {outcome.error}")
        return
    show(document, judge_all(document, budget))
    for note in notes(document):
        output.say(f"note: {note}")


def notes(document: "Document") -> list[str]:
    """What must be known to read a document's times: an emulator, a busy or throttled machine, lost connections."""
    import numpy as np

    environment = document.environment
    lines = [environment.disturbed] if environment.disturbed else []
    if environment.emulated:
        lines.append("the device is emulated: its times say nothing about a real one")
    if environment.throttled:
        lines.append(f"the device was slowed down: {environment.throttled}")
    if environment.hidden:
        lines.append("the page was hidden meanwhile: what it played then was dropped")
    lines += [
        f"{result.label}: from the camera to the screen {np.median(camera_ms):.0f} ms, "
        f"p95 {np.percentile(camera_ms, 95):.0f} ms, of {len(camera_ms)} pictures"
        for result in document.results
        if result.timing is not None and (camera_ms := result.timing.camera_ms)
    ]
    lines += [
        f"{result.label}: the connection was lost and made again, {result.resumed} times"
        for result in document.results
        if result.resumed
    ]
    lines += [
        f"{result.label}: emitted as {result.artifact.precision}, computes in {result.effective.compute_precision}"
        for result in document.results
        if result.effective.compute_precision == "bf16"
    ]
    return lines


def rows(document: "Document") -> list[dict[str, Any]]:
    """Figures of each case for scripts: statistics in ms, memory in MB; of a sustained one those of its last minute."""
    import numpy as np

    from pocketlens.bench import statistics
    from pocketlens.bench.budget import judged_results

    table = []
    for result in judged_results(document):
        row: dict[str, Any] = {
            "artifact": result.artifact.id,
            "runtime": result.runtime.name,
            "version": result.runtime.version,
            "threads": result.effective.threads or result.requested.threads,
            "accelerator": result.effective.delegate or result.effective.accelerator,
            "compute_precision": result.effective.compute_precision,
            "emulated": result.runtime.emulated,
            "bytes": result.artifact.bytes,
            "skipped": result.skipped,
            "failure": result.failure,
        }
        if result.timing is not None and result.blocks:
            frames = statistics.frames(result.blocks)
            row |= {f"p{rank}_ms": statistics.percentile(frames, rank) for rank in (50, 90, 95, 99)}
            row |= {"first_ms": result.timing.first_ms, "load_ms": result.timing.load_ms, "frames": len(frames)}
            if result.timing.camera_ms:
                row["camera_p50_ms"] = statistics.percentile(np.asarray(result.timing.camera_ms), 50)
        if result.memory is not None:
            row["memory_mb"] = result.memory.added_mb
        table.append(row)
    return table


def show(document: "Document", verdicts: "list[BudgetVerdict]") -> None:
    """The table of measured subjects, and a line for each limit that does not hold."""
    lines = []
    for row, result in zip(rows(document), document.results, strict=True):
        if "p50_ms" not in row:
            why = row["failure"] or row["skipped"] or ("interpreted: never timed" if result.runtime.interpreted else "")
            lines.append([result.label, *["-"] * 8, _worst(verdicts, result.label), why])
            continue
        times = [f"{row[k]:.1f}" for k in ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "first_ms", "load_ms")]
        memory = f"{row['memory_mb']:.0f}" if "memory_mb" in row else "-"
        note = "emulated: says nothing of a device" if result.runtime.emulated else ""
        lines.append(
            [result.label, *times, f"{1000 / row['p95_ms']:.1f}", memory, _worst(verdicts, result.label), note]
        )
    columns = ["artifact", "p50 ms", "p90", "p95", "p99", "first", "load", "fps", "MB", "budget", "note"]
    if not any(line[-1] for line in lines):
        columns, lines = columns[:-1], [line[:-1] for line in lines]
    output.table(columns, lines)
    for verdict in verdicts:
        if verdict.verdict in ("fail", "unstable"):
            output.say(
                f"{verdict.verdict}: {verdict.label}: {verdict.name} at most {verdict.limit:.4g}: {verdict.reason}"
            )


def _worst(verdicts: "list[BudgetVerdict]", label: str) -> str:
    from pocketlens.bench.budget import overall

    own = [verdict for verdict in verdicts if verdict.label == label]
    return overall(own) if own else "-"
