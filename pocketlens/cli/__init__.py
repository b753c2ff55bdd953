"""The command line. One file a command: parse, call the API, print. Nothing heavy is imported before a command runs."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer
from typer.core import TyperGroup

from pocketlens.errors import InputError, PocketlensError

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
        # The reader of our output (head, less) has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
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
        _complain(
            f"error: unexpected {type(error).__name__}: {error}\n"
            "  do: this is a defect of Pocketlens; run again with --debug and report what it prints"
        )
        raise typer.Exit(_UNEXPECTED) from None


def _complain(text: str) -> None:
    from pocketlens.cli.output import harmless

    with suppress(OSError):  # whoever read standard error may have gone
        print(harmless(text), file=sys.stderr)  # noqa: T201


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _debugging() -> bool:
    return bool(os.environ.get("POCKETLENS_DEBUG"))


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with _guarded():
            return super().invoke(ctx)


app = typer.Typer(
    name="pocketlens",
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all gates and budgets hold, 1 one does not, 2 the input is wrong, 3 something is missing.",
)


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks; may stand anywhere in the line."),
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    """A trained portrait filter in, verified files for phones out, with the verdict on their real-time budget.

    Example: pocketlens demo -o demo
    """
    if version:
        from pocketlens import __version__

        typer.echo(__version__)
        raise typer.Exit
    if debug:
        os.environ["POCKETLENS_DEBUG"] = "1"


def main() -> None:
    """The ``pocketlens`` command."""
    from pocketlens.cli import (  # noqa: F401
        bench,
        build,
        compare,
        convert,
        demo,
        distill,
        doctor,
        inspect,
        optimize,
        quantize,
        run,
        train,
        verify,
        zoo,
    )

    if "--debug" in sys.argv[2:]:
        sys.argv.remove("--debug")
        os.environ["POCKETLENS_DEBUG"] = "1"
    signal.signal(signal.SIGTERM, _stop)  # what Ctrl-C tidies up, a service manager's stop does too
    app()
