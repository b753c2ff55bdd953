"""A Snapdragon's NPU, in Qualcomm's own emulator: which operators of a compiled file it leaves to the processor."""

from pocketlens.accelerators import Answer, Request
from pocketlens.errors import InputError, MissingError
from pocketlens.placement import Placement
from pocketlens.runtimes.adapter import RUNTIMES, Options
from pocketlens.runtimes.session import Session

NAME = "snapdragon-npu"


def missing() -> MissingError | None:
    """Why the emulator cannot be asked here, and what to install; None where it can."""
    runtime = RUNTIMES["qnn"]
    reason = runtime.missing()
    return (
        MissingError(f"the Snapdragon NPU's emulator cannot be used here: {reason}", do=runtime.install)
        if reason
        else None
    )


def version() -> str:
    """The library that brings the emulator."""
    return f"onnxruntime-qnn {RUNTIMES['qnn'].version()}"


def place(request: Request) -> Answer:
    """Load the file, and play the picture where there is one."""
    from pocketlens.runtimes.qnn import Player

    try:
        player = Player(request.path, Options())
        output = None
        with Session(player, "qnn", request.path) as session:
            if request.picture is not None:
                output = session.floats(request.picture, style=request.style)
    except InputError as error:
        return Answer(Placement(NAME, "refused", reason=error.what))
    engine = f"{version()}, emulated {player.chip}"
    if not player.left_to_cpu:
        return Answer(Placement(NAME, "whole", engine=engine), output)
    reason = "the rest runs on the phone's processor"
    return Answer(Placement(NAME, "partly", player.left_to_cpu, reason, engine=engine), output)
