"""``pocketlens compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pocketlens.cli import app, output
from pocketlens.errors import InputError

if TYPE_CHECKING:
    from pocketlens.bench.compare import Ratio


@app.command(epilog="Example: pocketlens compare monday.json tuesday.json --threshold 5")
def compare(
    document: Annotated[list[Path] | None, typer.Argument(help="Measurement documents; the first is the base.")] = None,
    history: Annotated[
        Path | None, typer.Option(help="A folder of them: the newest of each device with the last.")
    ] = None,
    threshold: Annotated[float, typer.Option(min=0, help="Percent slower that is still allowed.")] = 10.0,
    force: Annotated[
        bool, typer.Option(help="Compare unlike things: other devices, pictures, emulated with real.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="With --history: write the medians over time as SVG here.")] = None,
    json: output.Json = False,
) -> None:
    """Compare measurements: how long a frame takes, as a share of the first, with a 95 % confidence interval.

    Exit code 1 if a subject is slower by more than the threshold, and surely so; 2 if they cannot be compared.
    """
    from pocketlens.bench import compare as ours
    from pocketlens.bench.document import Document

    if (history is None) == (not document):
        raise InputError("give documents, or a folder with --history", do="pocketlens compare a.json b.json")
    if history is not None:
        documents = ours.history(history)
        pairs = [
            (f"{b.environment.device}, {b.environment.time}", a, b) for a, b in ours.latest(documents, force=force)
        ]
        if plot is not None:
            from pocketlens.bench.plot_history import history_plot
            from pocketlens.files import write

            write(plot, history_plot(ours.series(documents)))
        if not pairs and not json:
            output.say("no earlier measurement can be compared with the newest")
    else:
        paths = document or []
        if len(paths) < 2:
            raise InputError("one document alone has nothing to be compared with", do="give two or more")
        base, *others = [Document.read(path) for path in paths]
        pairs = [(path.name, base, other) for path, other in zip(paths[1:], others, strict=True)]
    found = [(name, ours.compare(one, two, force=force), ours.unlike(one, two)) for name, one, two in pairs]
    slower = [(name, one) for name, ratios, _ in found for one in ours.regressions(ratios, threshold / 100)]
    if json:
        told: list[dict[str, Any]] = [{"document": n, "subjects": r, "unlike": u} for n, r, u in found]
        output.document({"comparisons": told, "regressions": [one for _, one in slower]})
    else:
        for name, ratios, reasons in found:
            _show(name, ratios)
            for reason in reasons:
                output.say(f"note: {reason}")
        for name, one in slower:
            output.say(f"fail: {name}: {one.label} is {one.ratio - 1:.1%} slower (at most {threshold:g} %)")
    if slower:
        raise typer.Exit(1)


def _show(name: str, ratios: "list[Ratio]") -> None:
    rows = [
        [
            one.label,
            f"{one.base_ms:.2f}",
            f"{one.other_ms:.2f}",
            f"{one.ratio:.3f}",
            f"{one.low:.3f} to {one.high:.3f}",
            one.finding,
        ]
        for one in ratios
    ]
    output.table(["subject", "base ms", "ms", "ratio", "95 % interval", "finding"], rows, title=name)
