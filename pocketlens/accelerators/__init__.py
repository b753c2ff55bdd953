"""The engines of accelerators: each a module here, which :data:`pocketlens.placement.ACCELERATORS` names."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pocketlens.errors import MissingError
from pocketlens.images import Floats, Picture
from pocketlens.placement import Placement, accelerator_named
from pocketlens.quality import psnr


@dataclass(frozen=True, eq=False)
class Request:
    """What an engine is asked.

    Attributes:
        path: The artifact: a file or folder.
        picture: To play, ``uint8 [H, W, 3]`` of the artifact's size; None where the runtime that verified the artifact
            is the accelerator itself, or no picture is there: then only the placement is asked for.
        style: Of a pack, how much of each style.
    """

    path: Path
    picture: Picture | None = None
    style: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """What an engine answers.

    Attributes:
        placement: Without dB, which is computed from ``output``.
        output: What it makes of the picture, ``float32 [H, W, 3]``, 0..255; None where nothing was played.
    """

    placement: Placement
    output: Floats | None = None


class Engine(Protocol):
    """The functions of an accelerator's module."""

    def missing(self) -> MissingError | None:
        """Why it cannot be asked on this machine, and what to install; None where it can."""
        ...

    def version(self) -> str:
        """What answers, with versions: ``ai-edge-litert 2.3.0, SwiftShader``. Its answers are kept while this stays."""
        ...

    def place(self, request: Request) -> Answer:
        """Say how the accelerator computes an artifact.

        A fault of the engine or of its driver is an answer too (``refused`` or ``unchecked``, with the reason).

        Raises:
            InputError: The artifact cannot be read at all.
        """
        ...


def engine(accelerator: str) -> Engine:
    """The module of an accelerator.

    Raises:
        InputError: There is no such accelerator.
    """
    module: Any = import_module(accelerator_named(accelerator).module)
    return module  # type: ignore[no-any-return]


def place(accelerator: str, request: Request, expected: Floats | None = None, floor: float = 0.0) -> Placement:
    """Ask an accelerator's engine, and compare what it played with the teacher's picture.

    Args:
        accelerator: A name of :data:`pocketlens.placement.ACCELERATORS`.
        request: The artifact and the picture to play.
        expected: The teacher's ``float32 [H, W, 3]``, 0..255, for the picture.
        floor: The least dB against it; what is played with less is ``refused``.

    Raises:
        InputError: There is no such accelerator, or the artifact cannot be read.
    """
    module = engine(accelerator)
    if missing := module.missing():
        return Placement(accelerator, "unchecked", reason=f"{missing.what}: {missing.do}")
    answer = module.place(request)
    placement = replace(answer.placement, engine=answer.placement.engine or module.version())
    if answer.output is None or expected is None:
        return placement
    if not np.isfinite(answer.output).all():
        return replace(placement, status="refused", reason="it gives NaN or infinity")
    reached = round(psnr(expected, np.clip(answer.output, 0, 255)), 1)
    if reached < floor:
        reason = f"another picture than the teacher's: at least {floor:.0f} dB expected"
        return replace(placement, status="refused", reason=reason, psnr=reached)
    return replace(placement, psnr=reached)
