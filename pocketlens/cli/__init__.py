"""The command line. One file a command: parse, call the API, print. Nothing heavy is imported before a command runs."""

import atexit
import functools
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from importlib import import_module
from inspect import Signature, signature
from typing import Any, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from pocketlens.cli import surroundings
from pocketlens.cli.renamed import COMMAND, refuse_renamed
from pocketlens.errors import InputError, MissingError, PocketlensError

COMMANDS = (
    "bench", "build", "compare", "convert", "demo", "distill", "doctor", "explain", "inspect", "optimize", "predict",
    "quantize", "run", "search", "train", "verify", "web", "zoo",
)  # fmt: skip
"""Each a module of this package, and a command."""

_INTERRUPTED = 130
_UNEXPECTED = 70


@contextmanager
def _guarded() -> Iterator[None]:
    """Turn every error into a message and an exit code; ``--debug`` lets the traceback through."""
    try:
        yield
    except KeyboardInterrupt:
        _complain("stopped; what was half-written is gone")
        raise typer.Exit(_INTERRUPTED) from None
    except PocketlensError as error:
        if _debugging():
            raise
        _complain(f"error: {error}")
        raise typer.Exit(error.exit_code) from None
    except BrokenPipeError:
        surroundings.drop_output()  # its reader (head, less) has gone
        raise typer.Exit(0) from None
    except UnicodeEncodeError as error:
        _complain(
            f"error: {error.object[:200]!r} has letters that are no Unicode: a name in another encoding than UTF-8\n"
            "  do: rename the file or folder"
        )
        raise typer.Exit(InputError.exit_code) from None
    except OSError as error:
        # A file that cannot be read or written is said where that happens; left are the machine's own faults.
        if _debugging():
            raise
        where = f" ({error.filename})" if error.filename else ""
        _complain(f"error: {error.strerror or error}{where}\n  do: {surroundings.advice(error)}")
        surroundings.drop_output()
        raise typer.Exit(InputError.exit_code) from None
    except (typer.Exit, typer.Abort):
        raise
    except SystemExit as error:
        # Pocketlens raises none: it comes out of a module:factory, or of a library that it called.
        _complain(
            f"error: the code of the generator ended the program with {error.code!r}\n  do: run it alone and mend it"
        )
        raise typer.Exit(InputError.exit_code) from None
    except Exception as error:
        if _debugging() or type(error).__module__.startswith(("typer", "click")):
            raise
        from pocketlens.cli.extras import installs

        if isinstance(error, ModuleNotFoundError) and (get := installs(error)):
            _complain(f"error: {error.name} is not installed\n  do: {get}")
            raise typer.Exit(MissingError.exit_code) from None
        _complain(
            f"error: unexpected {type(error).__name__}: {error}\n"
            "  do: this is a defect of Pocketlens; run again with --debug and report what it prints"
        )
        raise typer.Exit(_UNEXPECTED) from None


def _complain(text: str) -> None:
    from pocketlens.outside_text import for_terminal

    with suppress(OSError):  # whoever read standard error may have gone
        print(for_terminal(text), file=sys.stderr)  # noqa: T201


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _debugging() -> bool:
    return bool(os.environ.get("POCKETLENS_DEBUG"))


class _Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # of click, which names the option that it does not know
            refuse_renamed(self.name or "", getattr(error, "option_name", None) or "")
            raise

    def get_short_help_str(self, limit: int = 45) -> str:
        """What the list of commands says: the first paragraph as a whole, which click would cut off at ``limit``."""
        return " ".join((self.help or "").split("\n\n")[0].split())


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with _guarded():
            result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a full disk can still be told; Python flushes after everything
            return result

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        refuse_renamed(COMMAND, args[0])
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="pocketlens",
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all gates and budgets hold, 1 one does not, 2 the input is wrong, 3 a library or device is "
    "missing.",
)


_Function = TypeVar("_Function", bound=Callable[..., None])


def command(*examples: str) -> Callable[[_Function], _Function]:
    """Make a function a command of its own name.

    Args:
        examples: Lines that work, without ``pocketlens`` in front; ``--help`` shows them.
    """
    lines = "\n".join(f"Example: pocketlens {example}" for example in examples)

    def register(function: _Function) -> _Function:
        app.command(cls=_Command, epilog=f"\b\n{lines}")(_with_flags_of_groups(function))
        return function

    return register


def _with_flags_of_groups(function: Callable[..., None]) -> Callable[..., None]:
    """The function with the fields of each dataclass that it takes as parameters of their own.

    Typer makes flags of parameters only. This is what lets commands share a group of options as one parameter.
    """
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = []
    for parameter in signature(function).parameters.values():
        if (group := groups.get(parameter.name)) is None:
            parameters.append(parameter)
            continue
        types = get_type_hints(group, include_extras=True)
        parameters += [
            parameter.replace(name=field.name, annotation=types[field.name], default=field.default)
            for field in fields(group)
        ]

    @functools.wraps(function)
    def flat(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        function(**values)

    flat.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat


def load_commands() -> typer.Typer:
    """The application with all commands."""
    for name in COMMANDS:
        import_module(f"pocketlens.cli.{name}")
    return app


def _print_version(wanted: bool) -> None:
    if wanted:  # here and not in the callback of all commands, which is called only in front of a command
        from pocketlens import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks; may stand anywhere in the line."),
    version: bool = typer.Option(
        False, "--version", help="Print the version and stop.", is_eager=True, callback=_print_version
    ),
) -> None:
    """A trained portrait filter in, verified files for phones out, with the verdict on their real-time budget.

    Example: pocketlens demo -o demo
    """
    if debug:
        os.environ["POCKETLENS_DEBUG"] = "1"


def _silence_libraries() -> None:
    """What libraries log, warn of and compute beyond numbers is theirs; what matters of it, a message says."""
    import logging
    import warnings

    logging.getLogger().addHandler(logging.NullHandler())  # else Python prints what nobody handles
    logging.getLogger("torch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # numpy's "divide by zero" among them
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
"""What native libraries read before they print."""


def main() -> None:
    """The ``pocketlens`` command."""
    surroundings.prepare()
    load_commands()
    if "--debug" in sys.argv[2:]:
        sys.argv.remove("--debug")
        os.environ["POCKETLENS_DEBUG"] = "1"
    if not _debugging():
        _silence_libraries()
    atexit.register(gc.freeze)  # else Python looks for cycles among all that ends with it, for a second after a build
    # What Ctrl-C tidies up, a service manager's stop does too, and a terminal that closes; nohup asks to go on there.
    signal.signal(signal.SIGTERM, _stop)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _stop)
    app()
