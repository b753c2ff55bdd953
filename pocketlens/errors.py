"""The errors that reach a user: what is wrong, where, and what to do next.

Library code raises these and never exits; the command line turns each into its exit code.
"""

_LONGEST_LINE = 1_000
"""Characters of a message's line: a name of a file or a key may have millions."""


def _shortened(text: str) -> str:
    first, *others = text.split("\n")
    # A name of a file may hold line ends: what follows one must not pass for a line of its own.
    lines = [first, *(line if line.startswith("  ") else f"  {line}" for line in others)]
    return "\n".join(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…" for line in lines)


class PocketlensError(Exception):
    """Something that the user can act on.

    Args:
        what: What is wrong, with what was found and what was expected.
        do: The next step, as an instruction.

    Example:
        >>> str(InputError("wave.npz holds no array named 'Variable'", do="pass architecture = 'fast-style'"))
        "wave.npz holds no array named 'Variable'\\n  do: pass architecture = 'fast-style'"
    """

    exit_code = 2

    def __init__(self, what: str, *, do: str = "") -> None:
        self.what, self.do = _shortened(what), _shortened(do)
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.what}\n  do: {self.do}" if self.do else self.what


class InputError(PocketlensError):
    """A file, field, node or argument is wrong (exit code 2)."""


class RecipeError(InputError):
    """The recipe asks for what the generator or a target does not have (exit code 2); no artifact is made."""


class UnsupportedError(InputError):
    """A target cannot express something in the graph (exit code 2); raised before any work is done."""


class VerificationError(PocketlensError):
    """A file was written and does not compute what its teacher computes (exit code 1). It is never kept."""

    exit_code = 1


class SizeError(InputError):
    """A generator does not fit the size that it was asked for."""


class MissingError(PocketlensError):
    """A library is not installed or a device cannot be reached (exit code 3)."""

    exit_code = 3


def require(module: str, extra: str) -> None:
    """Check that an optional library can be imported, without importing it.

    Args:
        module: The import name, for instance ``"openvino"``.
        extra: The extra of this package that installs it, for instance ``"build"``.

    Raises:
        MissingError: The library is not installed; the message names the command that installs it.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise MissingError(f"{module} is not installed", do=f"pip install 'pocketlens[{extra}]'")
