"""``pocketlens doctor``."""

from collections.abc import Sequence

import typer

from pocketlens.cli import command, options, output
from pocketlens.cli.extras import LIBRARIES
from pocketlens.errors import MissingError


@command("doctor", "doctor --json")
def doctor(json: options.Json = False) -> None:
    """List what is installed, what is missing, and how to get it.

    Exit code 3 if nothing can play an artifact.
    """
    from pocketlens.accelerators import engine
    from pocketlens.placement import ACCELERATORS
    from pocketlens.runtimes.adapter import RUNTIMES

    rows = []
    for runtime in RUNTIMES.values():
        reason = runtime.missing()
        installed = _first_version(runtime.distributions)
        rows.append(("play", runtime.name, "" if reason else installed, reason, runtime.install if reason else ""))
    for accelerator in ACCELERATORS.values():
        if accelerator.executes:
            module = engine(accelerator.name)
            error = module.missing()
            version = "" if error else module.version()
            rows.append(
                ("accelerator", accelerator.name, version, error.what if error else "", error.do if error else "")
            )
    for library in LIBRARIES:
        installed = _first_version([library.distribution])
        missing, get = ("", "") if installed else ("not installed", library.install)
        rows.append((library.purpose, library.distribution, installed, missing, get))
    rows.append(_browser())
    playable = any(purpose == "play" and not reason for purpose, _, _, reason, _ in rows)
    if json:
        keys = ("purpose", "name", "version", "missing", "get")
        output.document({"checks": [dict(zip(keys, row, strict=True)) for row in rows], "playable": playable})
    else:
        shown = [
            [name, purpose, "no" if reason else "yes", installed or reason, get]
            for purpose, name, installed, reason, get in rows
        ]
        output.table(["name", "for", "here", "version", "how to get it"], shown)
    if not playable:
        raise typer.Exit(3)


def _browser() -> tuple[str, str, str, str, str]:
    """The browser that checks pages, as a row."""
    from pocketlens.web import chromium

    try:
        return "check pages", "chromium", chromium.find(), "", ""
    except MissingError as error:
        return "check pages", "chromium", "", "not installed", error.do


def _first_version(names: Sequence[str]) -> str:
    from importlib.metadata import PackageNotFoundError, version

    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""
