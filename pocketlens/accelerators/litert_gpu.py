"""LiteRT's GPU engine: plays a ``.tflite`` file and says which operators the GPU leaves to the processor."""

from pocketlens.accelerators import Answer, Request
from pocketlens.errors import InputError, MissingError
from pocketlens.placement import Placement
from pocketlens.runtimes import litert_gpu, litert_library, vulkan
from pocketlens.runtimes.adapter import Options
from pocketlens.runtimes.litert_gpu import Player
from pocketlens.runtimes.litert_process import EngineError, EngineProcess
from pocketlens.runtimes.session import Session

NAME = "litert-gpu"


def missing() -> MissingError | None:
    """Why the engine cannot be asked here, and what to install; None where it can."""
    try:
        return litert_gpu.missing()
    except MissingError as error:  # no LiteRT at all
        return error


def version() -> str:
    """The library that plays, and the drivers that it may choose from."""
    return ", ".join((f"ai-edge-litert {litert_library.version()}", *vulkan.drivers()))


def place(request: Request) -> Answer:
    """Load the file with the processor behind the GPU, so that the engine names what the GPU lacks, and play it."""
    path = request.path
    try:
        player = Player(path, Options(), _engine())
        output = None
        if request.picture is not None:
            with Session(player, "litert", path) as session:
                output = session.floats(request.picture, style=request.style)
    except EngineError as error:
        return Answer(Placement(NAME, "unchecked", reason=error.what))
    except InputError as error:
        return Answer(Placement(NAME, "refused", reason=error.what))
    engine = f"ai-edge-litert {litert_library.version()}, {player.adapter}"
    if player.whole:
        return Answer(Placement(NAME, "whole", engine=engine), output)
    reason = "; ".join(dict.fromkeys(player.refused.values())) or "the engine does not name them"
    return Answer(Placement(NAME, "partly", tuple(player.refused), reason, engine=engine), output)


_running: list[EngineProcess] = []
"""The engine that is kept for the next file: starting it takes longer than loading one."""


def _engine() -> EngineProcess:
    if not _running or _running[0].closed:
        _running[:] = [litert_gpu.start()]
    return _running[0]
