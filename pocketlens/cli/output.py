"""What every command prints with: tables that fit a terminal, JSON for scripts, progress on long work."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import typer

from pocketlens.files import artifact_bytes
from pocketlens.outside_text import for_line, for_terminal

if TYPE_CHECKING:
    from rich.table import Table

    from pocketlens.pipeline.failed import FailedArtifact
    from pocketlens.pipeline.stages.emit import VerifiedArtifact
    from pocketlens.placement import Placement
    from pocketlens.progress import Progress

_COLOURS = {
    "pass": "green", "yes": "green", "ok": "green", "fail": "red", "failed": "red", "no": "red", "unstable": "yellow",
}  # fmt: skip


_SHORT = 14
"""Characters below which no column of longer texts is narrowed."""
_NARROWEST = 10
"""Characters below which no line is wrapped: terminals that do not know their width say 0."""
_UNBROKEN = "\xa0"
"""A space where :func:`textwrap.wrap` breaks no line."""
_PAUSE = 10.0
"""Seconds between two lines about the same stage, where there is no terminal."""


def say(text: str) -> None:
    """Print a line for people."""
    typer.echo(for_terminal(text))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table; verdict words are coloured, and numbers are aligned right.

    Words are never broken. If the terminal is too narrow for that, every row becomes a block of lines: its first cell,
    and below it the others with their columns' names.
    """
    from rich.console import Console

    console = Console()
    width = max(console.width, _NARROWEST)
    cells = [[for_line(cell) for cell in row] for row in rows]
    for line in _wrapped(for_terminal(title), width, ""):  # rich would break it to the width of the table
        typer.echo(line)
    if (widths := _widths(columns, cells, console.width)) is not None:
        console.print(_grid(columns, cells, widths))
        return
    for line in _blocks(columns, cells, width):
        typer.echo(line)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]], most: int) -> list[int] | None:
    """Characters for each column: as many as it needs, fewer where texts can be broken; None if they cannot fit."""
    by_column = list(zip(columns, *rows, strict=True))
    widths = [max(len(line) for cell in cells for line in cell.splitlines() or [""]) for cells in by_column]
    words = [max((len(word) for cell in cells for word in cell.split()), default=0) for cells in by_column]
    least = [max(word, min(width, _SHORT)) for word, width in zip(words, widths, strict=True)]
    excess = sum(widths) + len(widths) - most
    for index in sorted(range(len(widths)), key=lambda i: least[i] - widths[i]):
        taken = max(0, min(excess, widths[index] - least[index]))
        widths[index] -= taken
        excess -= taken
    return None if excess > 0 else widths


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    grid = Table(header_style="bold", box=None, padding=(0, 1, 0, 0))
    for index, (column, width) in enumerate(zip(columns, widths, strict=True)):
        numeric = bool(rows) and all(row[index][:1].isdigit() or row[index] in ("", "-") for row in rows)
        grid.add_column(escape(column), justify="right" if numeric else "left", width=width)
    for row in rows:
        grid.add_row(*(_coloured(escape(cell), cell) for cell in row))
    return grid


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    for first, *others in rows:
        yield from _wrapped(first or "-", width, "")
        named = (f"{column} {cell}" for column, cell in zip(columns[1:], others, strict=True) if cell not in ("", "-"))
        parts = [part if len(part) + 3 > width else part.replace(" ", _UNBROKEN) for part in named]
        for line in _wrapped(", ".join(parts), width, "  "):
            yield line.replace(_UNBROKEN, " ")


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _coloured(text: str, cell: str) -> str:
    colour = _COLOURS.get(cell)
    return f"[{colour}]{text}[/{colour}]" if colour else text


def document(data: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(data, indent=2, sort_keys=True, default=_plain))


def _plain(value: Any) -> Any:
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON data")


@contextmanager
def progress() -> Iterator["Progress"]:
    """A progress bar on standard error if that is a terminal; else a line for each stage and every ten seconds."""
    if not sys.stderr.isatty():
        last_stage, last_time = "", 0.0

        def notify(what: str, done: int, total: int, /) -> None:
            nonlocal last_stage, last_time
            stage, now = what.partition(":")[0], time.monotonic()
            if stage != last_stage or now - last_time > _PAUSE or done == total:
                last_stage, last_time = stage, now
                typer.echo(f"[{done}/{total}] {for_line(what)}", err=True)

        yield notify
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar
    from rich.table import Column

    # The text is cut where the terminal is narrow, and the numbers stay.
    text = TextColumn(
        "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
    )
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), text)
    with ProgressBar(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=for_line(what), completed=done, total=total)


def megabytes(count: int) -> str:
    """Bytes as megabytes (10⁶), two decimals."""
    return f"{count / 1e6:.2f}"


def artifacts(verified: "Sequence[VerifiedArtifact]", failed: "Sequence[FailedArtifact]" = ()) -> None:
    """The table of artifacts: the verified ones, then those that failed; below it notes and reasons."""
    rows = [
        [
            artifact.spec.id,
            megabytes(artifact_bytes(artifact.path)),
            f"{artifact.verification.worst.psnr:.1f}",
            f"{artifact.verification.worst.ssim:.4f}",
            f"{artifact.verification.worst.largest_error:.3f}",
            f"{artifact.verification.runtime_info.runtime} {artifact.verification.runtime_info.version}",
        ]
        for artifact in verified
    ]
    rows += [[artifact.spec.id, "-", "-", "-", "-", "failed"] for artifact in failed]
    table(["artifact", "MB", "PSNR dB", "SSIM", "largest error", "verified in"], rows)
    for artifact in verified:
        if artifact.note:
            say(f"{artifact.spec.id}: {artifact.note}")
    failures((artifact.spec.id, artifact.reason, artifact.do) for artifact in failed)


def warn(texts: Iterable[str]) -> None:
    """A line on standard error for each thing that is odd and may be meant."""
    for text in texts:
        typer.echo(f"warning: {for_terminal(text)}", err=True)


def failures(failed: Iterable[tuple[str, str, str]]) -> None:
    """A line for each artifact that could not be made, its id, reason and next step, and below it what to do."""
    for identity, reason, do in failed:
        say(f"failed: {identity}: {reason}" + (f"\n  do: {do}" if do else ""))


def placements(by_artifact: "Mapping[str, Sequence[Placement]]") -> None:
    """The table of artifact by accelerator, and what it leaves out; nothing where no accelerator was asked."""
    from pocketlens.placement import notes
    from pocketlens.placement import table as placement_table

    columns, rows = placement_table(by_artifact)
    if len(columns) > 1:
        table(columns, rows)
        for line in notes(by_artifact):
            say(line)
