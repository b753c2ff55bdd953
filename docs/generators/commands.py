"""The commands, from what typer was told: one page for each, and an index.

It reads the functions that are registered, with their ``Annotated`` options: that is typer's public face, and the same
in all of its versions.
"""

import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from typer.models import ArgumentInfo, OptionInfo

from docs.generators.jsonschema import prose, reference_table, table
from pocketlens import cli
from pocketlens.errors import InputError, MissingError, VerificationError

EXIT_CODES = {
    0: "Everything that was asked for holds: gates, budgets, checks.",
    VerificationError.exit_code: "A gate or a budget does not hold, or a file does not compute what it must.",
    InputError.exit_code: "The input is wrong. The message names the file, field or node, and says what to do.",
    MissingError.exit_code: "A library is not installed, or a device cannot be reached.",
    70: "A defect of Pocketlens. Run the command again with `--debug` and report what it prints.",
    130: "Somebody stopped the command with Ctrl-C.",
}
_KINDS = {bool: "", int: "whole number", float: "number", str: "text", Path: "path"}
_EXAMPLE = re.compile(r"^Example: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """An argument or an option of a command.

    Attributes:
        flags: As they are typed; of an argument its name in capitals.
        option: Whether it is an option.
        kind: What value it takes, in words; empty for a flag.
        default: What counts if it is left out, in words.
        required: Whether the command refuses to run without it.
        help: What it means.
    """

    flags: tuple[str, ...]
    option: bool
    kind: str
    default: str
    required: bool
    help: str


@dataclass(frozen=True)
class Command:
    """A command: its name, its help, its example lines, its parameters."""

    name: str
    help: str
    examples: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    @property
    def summary(self) -> str:
        """The first paragraph of the help, on one line."""
        return prose(self.help.split("\n\n")[0])

    @property
    def usage(self) -> str:
        """How the command is typed, as ``--help`` says it."""
        arguments = [one for one in self.parameters if not one.option]
        shown = [one.flags[0] if one.required else f"[{one.flags[0]}]" for one in arguments]
        needed = [f"{one.flags[0]} …" for one in self.parameters if one.option and one.required]
        return " ".join(["pocketlens", self.name, "[OPTIONS]", *needed, *shown])


def commands() -> dict[str, Command]:
    """Name to command, in the order of the alphabet; without those that help does not show."""
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"{cli.__name__}.{module.name}")
    found = [_command(info) for info in cli.app.registered_commands if not info.hidden]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def pages() -> dict[str, str]:
    """Path in the site to Markdown: ``commands/index.md`` and a page for each command."""
    found = commands()
    return {"commands/index.md": _index(found), **{f"commands/{one.name}.md": page(one) for one in found.values()}}


def page(command: Command) -> str:
    """The page of one command: usage, example, arguments, options, exit codes."""
    arguments = [one for one in command.parameters if not one.option]
    options = [one for one in command.parameters if one.option]
    parts = [
        f"# `{command.name}`",
        "\n\n".join(prose(part) for part in command.help.split("\n\n")),
        f"```\n{command.usage}\n```",
    ]
    if command.examples:
        parts += [
            "## Examples" if len(command.examples) > 1 else "## Example",
            "```\n" + "\n".join(command.examples) + "\n```",
        ]
    if arguments:
        rows = [(f"`{one.flags[0]}`", one.help, one.kind, one.default) for one in arguments]
        parts += ["## Arguments", reference_table(("argument", "meaning", "value", "if left out"), rows)]
    if options:
        rows = [(", ".join(f"`{f}`" for f in one.flags), one.help, one.kind, one.default) for one in options]
        parts += ["## Options", reference_table(("option", "meaning", "value", "if left out"), rows)]
    parts += ["## Exit codes", exit_codes()]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def exit_codes() -> str:
    """The table of exit codes."""
    return table(("code", "meaning"), [(f"`{code}`", meaning) for code, meaning in EXIT_CODES.items()])


def _index(found: dict[str, Command]) -> str:
    rows = [(f"[`{one.name}`]({one.name}.md)", one.summary) for one in found.values()]
    return (
        "# Commands\n\nThese pages are made from the command line itself. `pocketlens COMMAND --help` prints the same "
        f"text.\n\n{table(('command', 'what it does'), rows)}\n"
        "With `--json` a command prints one JSON document instead of text. With `--debug` it shows the traceback of an "
        f"error; `--debug` may stand anywhere in the line.\n\n## Exit codes\n\n{exit_codes()}"
    )


def _command(info: Any) -> Command:
    callback = info.callback
    name = info.name or callback.__name__.replace("_", "-")
    text = inspect.cleandoc(info.help or callback.__doc__ or "")
    return Command(name, text, tuple(_EXAMPLE.findall(info.epilog or "")), tuple(_parameters(callback)))


def _parameters(callback: Any) -> Iterator[Parameter]:
    for name, parameter in inspect.signature(callback).parameters.items():
        annotation, info = _taken_apart(parameter.annotation)
        default = parameter.default
        if info is None and isinstance(default, OptionInfo | ArgumentInfo):
            info, default = default, default.default
        if info is None or info.hidden:
            continue
        option = isinstance(info, OptionInfo)
        required = default in (inspect.Parameter.empty, ...)
        flags = _flags(name, annotation, info) if option else (info.metavar or name.upper(),)
        yield Parameter(
            flags,
            option,
            _kind(annotation, info),
            info.show_default if isinstance(info.show_default, str) else _default(default, required, flags),
            required,
            prose(info.help or ""),
        )


def _taken_apart(annotation: Any) -> tuple[Any, OptionInfo | ArgumentInfo | None]:
    """The type of an annotation without None, and what typer is told about it."""
    info = None
    if get_origin(annotation) is Annotated:
        annotation, *extras = get_args(annotation)
        info = next((extra for extra in extras if isinstance(extra, OptionInfo | ArgumentInfo)), None)
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation, info


def _flags(name: str, annotation: Any, info: OptionInfo) -> tuple[str, ...]:
    told = [info.default, *(info.param_decls or ())]  # within Annotated, typer keeps the first name as the default
    declared = [part for one in told if isinstance(one, str) for part in one.split("/") if part.startswith("-")]
    plain = f"--{name.replace('_', '-')}"
    if not declared:
        declared = [plain, f"--no-{plain[2:]}"] if annotation is bool else [plain]
    return tuple(declared)


def _kind(annotation: Any, info: OptionInfo | ArgumentInfo) -> str:
    origin = get_origin(annotation)
    if origin is list:
        return f"{_kind(get_args(annotation)[0], info)}, may be repeated"
    if origin is tuple:
        return info.metavar or " ".join(_KINDS[part] for part in get_args(annotation))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, type) and hasattr(annotation, "__members__"):
        return ", ".join(f"`{member.value}`" for member in annotation)
    low, high = info.min, info.max
    bounds = f", {low:g} to {high:,}" if low is not None and high is not None else ""
    return _KINDS[annotation] + (bounds or (f", at least {low:g}" if low is not None else ""))


def _default(value: Any, required: bool, flags: tuple[str, ...]) -> str:
    if required:
        return "**needed**"
    if value in (None, "", (), []):
        return ""
    if isinstance(value, bool):
        return f"`{flags[0]}`" if value else ""
    return f"`{value}`"
