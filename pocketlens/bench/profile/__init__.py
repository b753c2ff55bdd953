"""The time of each layer of an artifact, as its runtime reports it; one module a runtime.

A profiled run is slower than a plain one, and a runtime may merge layers: trust the shares, not the sums.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.images import Picture

WARMUP_FRAMES = 3
"""Frames that are played first and not counted."""
FRAMES = 10
"""Frames that are counted; each layer's time is their median."""


@dataclass(frozen=True)
class Step:
    """A layer as a runtime executes it.

    Attributes:
        name: The runtime's own name for it, which begins with that of a node in the artifact wherever it can.
        operator: The runtime's own name for what it does.
        ms: Median time of one frame in it.
    """

    name: str
    operator: str
    ms: float


class Profiler(Protocol):
    """The module that profiles a runtime."""

    def profile(
        self, path: Path, pixels: NDArray[np.float32], threads: int | None, warm: int, frames: int
    ) -> list[tuple[str, str, list[float]]]:
        """Name, operator and the ms of each counted frame, of every layer in the order of execution."""
        ...


PROFILERS: dict[str, str] = {
    "onnxruntime": "pocketlens.bench.profile.onnxruntime",
    "openvino": "pocketlens.bench.profile.openvino",
}
"""Runtimes that report the time of their layers. LiteRT's Python library does not."""


def profile(
    path: Path, runtime: str, picture: Picture, *, threads: int | None = None, frames: int = FRAMES
) -> tuple[Step, ...]:
    """Play an artifact and ask its runtime for the time of each layer.

    Args:
        path: The artifact.
        runtime: A key of :data:`PROFILERS`.
        picture: ``uint8 [H, W, 3]`` at the artifact's size.
        threads: Number of threads, or None for the runtime's own choice.
        frames: How many to take the median of.

    Returns:
        Every layer that took time, in the order of execution.

    Raises:
        InputError: This runtime does not report the time of its layers, or cannot play the file.
    """
    if runtime not in PROFILERS:
        raise InputError(f"{runtime} does not report the time of its layers", do=f"profile {' or '.join(PROFILERS)}")
    module: Profiler = import_module(PROFILERS[runtime])
    pixels = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
    layers = module.profile(path, pixels, threads, WARMUP_FRAMES, frames)
    return tuple(Step(name, operator, float(np.median(times))) for name, operator, times in layers if any(times))


def milliseconds(work: Callable[[], object], *, warm: int = WARMUP_FRAMES, frames: int = FRAMES) -> float:
    """The median time of ``frames`` calls in ms, after ``warm`` that are not counted."""
    from time import perf_counter

    times = []
    for _ in range(warm + frames):
        start = perf_counter()
        work()
        times.append(1000 * (perf_counter() - start))
    return float(np.median(times[warm:]))
