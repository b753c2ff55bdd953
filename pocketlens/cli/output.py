"""What every command prints with: tables that fit a terminal, JSON for scripts, progress on long work."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pocketlens.errors import InputError
from pocketlens.files import artifact_bytes

if TYPE_CHECKING:
    from pocketlens.pipeline.stages import Emitted

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
MAX_THREADS = 256
Threads = Annotated[
    int | None, typer.Option(min=1, max=MAX_THREADS, help="Threads of the runtime; its own choice if left out.")
]
Runtime = Annotated[str | None, typer.Option(help="onnxruntime, openvino, litert, coreml or mil.")]
Rewrites = Annotated[
    str | None,
    typer.Option(
        help="none, safe (what needs no measuring), auto (what is faster here), or NAME,NAME: see docs/rewrites.md."
    ),
]
InputRange = Annotated[
    tuple[float, float] | None,
    typer.Option(help="What a foreign generator takes for black and white; 0 255 if left out.", metavar="LOW HIGH"),
]
OutputRange = Annotated[
    tuple[float, float] | None, typer.Option(help="What it gives for black and white.", metavar="LOW HIGH")
]

_COLOURS = {"pass": "green", "yes": "green", "ok": "green", "fail": "red", "no": "red", "unstable": "yellow"}


_SHORT = 12
"""Characters that a column may have, and never be broken into lines."""
_WORD = 16
"""Characters of a word that is never broken, but in the first column."""
_PAUSE = 10.0
"""Seconds between two lines about the same stage, where there is no terminal."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """Text without the characters that steer a terminal: names come out of files that somebody else wrote.

    Example:
        >>> harmless("\\x1b[31mred")
        '?[31mred'
    """
    return _CONTROL.sub("?", text)


def say(text: str) -> None:
    """Print a line for people."""
    typer.echo(harmless(text))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table; verdict words are coloured, and numbers are aligned right."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    drawn = Table(title=title or None, title_justify="left", header_style="bold", box=None, padding=(0, 1, 0, 0))
    by_column = list(zip(columns, *rows, strict=True))
    widths = [max(len(cell) for cell in cells) + 1 for cells in by_column]
    words = [max(len(word) for cell in cells for word in cell.split() or [""]) + 1 for cells in by_column]
    others = sum(w if w <= _SHORT else word for w, word in zip(widths[1:], words[1:], strict=True))
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(row[index][:1].isdigit() or row[index] in ("", "-") for row in rows)
        short = widths[index] <= _SHORT  # numbers and verdicts stay whole; a long name gives way to them
        first = index == 0 and len(columns) > 4 and widths[0] + others <= console.width
        drawn.add_column(
            column, justify="right" if numeric else "left", overflow="fold", no_wrap=first or (short and index > 0),
            min_width=words[index] - 1 if index > 0 and words[index] <= _WORD else None,
        )  # fmt: skip
    for row in rows:
        drawn.add_row(*(_coloured(escape(harmless(cell)), cell) for cell in row))
    console.print(drawn)


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


Notify = Callable[[str, int, int], None]
"""Told what is being done now, how many steps are done, and how many there are."""


@contextmanager
def progress() -> Iterator[Notify]:
    """A progress bar on standard error, where that is a terminal; otherwise a line for each stage and every ten seconds."""
    if not sys.stderr.isatty():
        said, when = "", 0.0

        def tell(what: str, done: int, total: int) -> None:
            nonlocal said, when
            stage, now = what.partition(":")[0], time.monotonic()
            if stage != said or now - when > _PAUSE or done == total:
                said, when = stage, now
                typer.echo(f"[{done}/{total}] {harmless(what)}", err=True)

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    # What is said gives way where the terminal is narrow, and the numbers stay.
    words = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), words)
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def parse_size(text: str) -> tuple[int, int]:
    """``"HEIGHTxWIDTH"`` in pixels.

    Raises:
        InputError: It is not two numbers from 16 to 4096.

    Example:
        >>> parse_size("256x384")
        (256, 384)
    """
    parts = text.lower().split("x")
    if len(parts) == 2 and all(p.isdigit() and 16 <= int(p) <= 4096 for p in parts):
        return int(parts[0]), int(parts[1])
    raise InputError(f"{text!r} is not a size", do="give HEIGHTxWIDTH from 16 to 4096, for instance 256x256")


def megabytes(count: int) -> str:
    """Bytes as megabytes (10⁶), two decimals."""
    return f"{count / 1e6:.2f}"


def artifacts(emitted: "Sequence[Emitted]") -> None:
    """The table of verified artifacts."""
    rows = [
        [
            e.id,
            megabytes(artifact_bytes(e.path)),
            f"{e.verified.worst.psnr:.1f}",
            f"{e.verified.worst.ssim:.4f}",
            f"{e.verified.worst.largest_error:.3f}",
            f"{e.verified.runtime_info.runtime} {e.verified.runtime_info.version}",
        ]
        for e in emitted
    ]
    table(["artifact", "MB", "PSNR dB", "SSIM", "largest error", "verified in"], rows)
