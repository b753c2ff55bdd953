"""Every ``pocketlens …`` line of the documentation is one that the command line understands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from docs.generators.commands import commands
from pocketlens import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def lines() -> Iterator[tuple[str, str]]:
    """Page and command of every line in a block of code, and of every command in backquotes."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        name = page.relative_to(ROOT).as_posix()
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        indented = re.findall(r"^ {4}(.+)$", text, re.MULTILINE)
        spans = [span for span in re.findall(r"`(pocketlens [^`]+)`", text) if len(span.split()) > 1]
        for line in [*(line for block in blocks for line in block.splitlines()), *indented, *spans]:
            for part in re.split(r"&&|\|", line.partition("   #")[0]):
                if part.strip().startswith("pocketlens ") and not re.search("COMMAND|pocketlens -", part):
                    yield name, part.strip()


LINES = sorted(set(lines()))


def test_there_are_commands_to_look_at() -> None:
    assert len(LINES) > 50


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_command_of_the_documentation_is_understood(page: str, line: str) -> None:
    name, *arguments = shlex.split(line.replace("[, …]", ""))[1:]
    known = commands()
    assert name in known, f"{page}: {line}"
    group = typer.main.get_command(cli.app)
    command = group.commands[name]  # type: ignore[attr-defined]
    flags = [argument for argument in arguments if re.match(r"-{1,2}[a-z]", argument)]
    assert set(flags) <= {flag for parameter in known[name].parameters for flag in parameter.flags} | {"--help"}, line
    if len(flags) == len(arguments):  # a flag that is talked about, not a line to type
        return
    with command.make_context(name, arguments):  # raises a usage error for a wrong value or too many words
        pass
