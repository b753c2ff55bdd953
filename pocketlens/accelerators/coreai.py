"""Core AI on its generic CPU machine: Apple's own compiler and runtime, off Apple's devices."""

from importlib.metadata import version as installed

from pocketlens.accelerators import Answer, Request
from pocketlens.errors import InputError, MissingError
from pocketlens.placement import Placement
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.session import open_artifact

NAME = "coreai-cpu"


def missing() -> MissingError | None:
    """Why it cannot be asked here, and what to install; None where it can."""
    runtime = RUNTIMES["coreai"]
    reason = runtime.missing()
    return MissingError(reason, do=runtime.install) if reason else None


def version() -> str:
    """The library that compiles and plays."""
    return f"coreai-core {installed('coreai-core')}, generic CPU machine"


def place(request: Request) -> Answer:
    """Compile the file and play it: the machine computes every operation, or the file does not load."""
    try:
        with open_artifact(request.path, "coreai", exact=True) as session:
            output = None if request.picture is None else session.floats(request.picture, style=request.style)
    except InputError as error:
        return Answer(Placement(NAME, "refused", reason=error.what))
    return Answer(Placement(NAME, "whole"), output)
