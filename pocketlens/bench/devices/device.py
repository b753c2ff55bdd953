"""What a device is: one module in this folder with a class that has these methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pocketlens.bench.document import Host, Snapshot
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import Options


@dataclass(frozen=True)
class LoadResult:
    """What loading an artifact told.

    Attributes:
        load_ms: Opening the artifact, the runtime's library already imported.
        size: Height and width that the artifact computes at, in pixels.
        baseline_mb: Peak memory of the process before the runtime was imported.
        runtime_version: Of the runtime.
        threads: How many it really uses, or None if it does not say.
        precision: The one it really computes in, or None if it does not say.
        delegate: What the runtime hands the work to, where that was chosen.
        restarts: Whether each block starts a program anew, which takes longer than its frames do.
    """

    load_ms: float
    size: tuple[int, int]
    baseline_mb: float
    runtime_version: str | None = None
    threads: int | None = None
    precision: str | None = None
    delegate: str | None = None
    restarts: bool = False


@dataclass(frozen=True)
class FirstFrame:
    """The first frame: its time, its scores against the expected picture where there is one, and what came out.

    Attributes:
        first_ms: Its time.
        psnr: Against the expected picture, in dB, or None without one.
        largest_error: Of 255, or None without one.
        stylized: ``uint8 [H, W, 3]``, or None if the device keeps it.
    """

    first_ms: float
    psnr: float | None = None
    largest_error: float | None = None
    stylized: Picture | None = None


@dataclass(frozen=True)
class BlockTimes:
    """Frames played without a break; both lists have one entry a frame, in ms."""

    frame_ms: tuple[float, ...]
    inference_ms: tuple[float, ...]


class Worker(Protocol):
    """One subject on a device, in a process of its own. It works only while a method runs, and sleeps in between.

    Every method but ``close`` raises :class:`~pocketlens.bench.channel.WorkerError` when the worker says no, has ended, or
    does not answer in time.
    """

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        """Load an artifact within ``seconds``."""
        ...

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        """Play the first frame and compare it with ``expected``; both ``uint8 [H, W, 3]`` of the artifact's size."""
        ...

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        """Play until both limits of a block are reached; ``seconds`` is how long that may take."""
        ...

    def peak_mb(self, seconds: float) -> float | None:
        """The largest resident memory that the process has had, in MB, or None if the device does not tell."""
        ...

    def close(self) -> None:
        """End the process, whatever it is doing."""
        ...


class Device(Protocol):
    """Where subjects are measured.

    Attributes:
        name: As users write it: ``"local"``, ``"ssh://pi@host"``, ``"adb:SERIAL"``.
        emulated: Whether it is an emulator, whose figures are never compared with real ones; known after :meth:`host`.
    """

    emulated: bool

    @property
    def name(self) -> str:
        """As users write it; complete once the device has been reached."""
        ...

    def missing(self, runtime: str) -> str:
        """Why a runtime cannot play there, or an empty string.

        Raises:
            MissingError: The device cannot be reached.
        """
        ...

    def delegates(self, runtime: str) -> Sequence[str]:
        """The delegates that a runtime can be asked for there; ``"*"`` stands for the path of a library."""
        ...

    def prepare(self, runtimes: Sequence[str]) -> None:
        """Make ready for these runtimes: copy there what is lacking. Called once, before all others but ``missing``.

        Raises:
            MissingError: The device cannot be reached or is not fit to be measured; the message says what to do.
        """
        ...

    def host(self) -> Host:
        """What stays as it is during a measurement."""
        ...

    def snapshot(self) -> Snapshot:
        """What changes; asked for before and after."""
        ...

    def start(self) -> Worker:
        """Start a worker with nothing loaded."""
        ...

    def again(self) -> None:
        """Reach the device once more after a worker raised a LostError; raises one itself if that fails."""
        ...

    def close(self) -> None:
        """Clean up what :meth:`prepare` left there; closing twice is fine, and so is a device that has gone."""
        ...
