"""``pocketlens compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pocketlens.cli import command, options, output
from pocketlens.errors import InputError

if TYPE_CHECKING:
    from pocketlens.bench.compare import Ratio


@command("compare monday.json tuesday.json --threshold 5", "compare --history measurements --plot medians.svg")
def compare(
    document: Annotated[
        list[Path] | None, typer.Argument(metavar="DOCUMENT", help="What bench -o wrote; the first is the base.")
    ] = None,
    history: options.History = None,
    threshold: Annotated[
        float, typer.Option(metavar="PERCENT", min=0, help="Percent slower that is still allowed.")
    ] = 10.0,
    force: Annotated[
        bool, typer.Option("--force", help="Compare unlike things: other devices, pictures, emulated with real.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --history: write the medians over time as SVG here.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Compare measurements: a frame's time beside the first document's, as a ratio with its 95 % interval.

    Exit code 1 if a case is slower by more than the threshold, and surely so; 2 if they cannot be compared.
    """
    from pocketlens.bench import compare as comparing
    from pocketlens.bench.document import Document

    if (history is None) == (not document):
        raise InputError("give documents, or a folder with --history", do="pocketlens compare a.json b.json")
    if history is not None:
        documents = comparing.history(history)
        pairs = [
            (f"{newest.environment.device}, {newest.environment.time}", last, newest)
            for last, newest in comparing.latest(documents, force=force)
        ]
        if not pairs and not json:
            output.say("no earlier measurement can be compared with the newest")
    else:
        paths = document or []
        if len(paths) < 2:
            raise InputError("one document alone has nothing to be compared with", do="give two or more")
        base, *others = [Document.read(path) for path in paths]
        pairs = [(path.name, base, other) for path, other in zip(paths[1:], others, strict=True)]
    compared = [
        (name, comparing.compare(base, other, force=force), comparing.incomparable(base, other))
        for name, base, other in pairs
    ]
    slower = [(name, ratio) for name, ratios, _ in compared for ratio in comparing.regressions(ratios, threshold / 100)]
    if json:
        comparisons: list[dict[str, Any]] = [
            {"document": name, "subjects": ratios, "unlike": reasons} for name, ratios, reasons in compared
        ]
        output.document({"comparisons": comparisons, "regressions": [ratio for _, ratio in slower]})
    else:
        for name, ratios, reasons in compared:
            _show(name, ratios)
            for reason in reasons:
                output.say(f"note: {reason}")
        for name, ratio in slower:
            output.say(f"fail: {name}: {ratio.label} is {ratio.ratio - 1:.1%} slower (at most {threshold:g} %)")
    if history is not None and plot is not None:  # last: a full disk does not hide the figures
        from pocketlens.bench.plot_history import plot_history
        from pocketlens.files import write

        write(plot, plot_history(comparing.series(documents)))
    if slower:
        raise typer.Exit(1)


def _show(name: str, ratios: "list[Ratio]") -> None:
    rows = [
        [
            ratio.label,
            f"{ratio.base_ms:.2f}",
            f"{ratio.other_ms:.2f}",
            f"{ratio.ratio:.3f}",
            f"{ratio.low:.3f} to {ratio.high:.3f}",
            ratio.finding,
        ]
        for ratio in ratios
    ]
    output.table(["case", "base ms", "ms", "ratio", "95 % interval", "finding"], rows, title=name)
