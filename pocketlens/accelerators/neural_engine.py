"""Apple's Neural Engine, by published rules: which operations of a Core ML program are said to leave it."""

from importlib.util import find_spec

import numpy as np

from pocketlens.accelerators import Answer, Request
from pocketlens.accelerators.rules import NEURAL_ENGINE, judge
from pocketlens.errors import MissingError
from pocketlens.runtimes.mil import package
from pocketlens.runtimes.mil.program import Operation, Program
from pocketlens.runtimes.mil.program import read as read_program

NAME = "neural-engine"
_FREE = ("cast", "const", "identity")
"""Operations that convert and compute nothing."""


def missing() -> MissingError | None:
    """Why a program cannot be read here; None where it can."""
    if find_spec("coremltools") is None:
        return MissingError("coremltools is not installed", do="pip install 'pocketlens[build]'")
    return None


def version() -> str:
    """What judges."""
    return "published rules"


def place(request: Request) -> Answer:
    """Read the operations and judge them; nothing is executed.

    Raises:
        InputError: The package is damaged.
    """
    program = read_program(package.read(request.path), lambda kind: True)
    operators = dict.fromkeys(name for op in program.operations for name in _names(op, program))
    return judge(NAME, NEURAL_ENGINE, list(operators))


def _names(operation: Operation, program: Program) -> list[str]:
    names = [operation.kind]
    dilations = [np.ravel(program.constants[n]) for n in operation.arguments.get("dilations", ())]
    if any((values != 1).any() for values in dilations):
        names.append(f"{operation.kind} (dilated)")
    if operation.kind not in _FREE and any(output.type.kind == "FLOAT32" for output in operation.outputs):
        names.append(f"{operation.kind} (float32)")
    return names
