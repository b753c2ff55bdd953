"""What a device is: one module in this folder with a class that has the methods of :class:`Device`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pocketlens.bench.document import Host, Snapshot
from pocketlens.bench.result import ExecutionSettings
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import Options


@dataclass(frozen=True)
class LoadResult:
    """What loading an artifact reported.

    Attributes:
        load_ms: Opening the artifact, the runtime's library already imported.
        size: Height and width that the artifact computes at, in pixels.
        baseline_mb: Peak memory of the process before the runtime was imported.
        runtime_version: The version of the runtime's library, or None if it does not report it.
        effective: How the runtime really plays, as far as it reports it.
        restarts: Whether each block starts a program anew, which takes longer than its frames do.
        emulated: Whether software stands in for the accelerator.
    """

    load_ms: float
    size: tuple[int, int]
    baseline_mb: float
    runtime_version: str | None = None
    effective: ExecutionSettings = field(default_factory=ExecutionSettings)
    restarts: bool = False
    emulated: bool = False


@dataclass(frozen=True)
class FirstFrame:
    """The first frame: its time, its scores against the expected picture where there is one, and the picture.

    Attributes:
        first_ms: Its time.
        psnr: Against the expected picture, in dB, or None without one.
        largest_error: Of 255, or None without an expected picture.
        stylized: ``uint8 [H, W, 3]``, or None if the device keeps it.
    """

    first_ms: float
    psnr: float | None = None
    largest_error: float | None = None
    stylized: Picture | None = None


@dataclass(frozen=True)
class BlockTimes:
    """Times of frames that were played without a break; both lists have one entry a frame, in ms."""

    frame_ms: tuple[float, ...]
    inference_ms: tuple[float, ...]


class Worker(Protocol):
    """A process on a device that plays one benchmark case. It works only while a method runs, and sleeps in between.

    Every method but ``close`` raises :class:`~pocketlens.bench.channel.WorkerError` when the worker answers with an
    error, has ended, or does not answer in time.
    """

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        """Load an artifact within ``seconds``."""
        ...

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        """Play the first frame and compare it with ``expected``; both ``uint8 [H, W, 3]`` of the artifact's size."""
        ...

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        """Play until a block is as long as both limits ask for; ``seconds`` is how long that may take."""
        ...

    def peak_mb(self, seconds: float) -> float | None:
        """The largest resident memory that the process has had, in MB, or None if the device does not report it."""
        ...

    def camera_ms(self, seconds: float) -> tuple[float, ...]:
        """From a camera to the screen, in ms of each frame; empty where the device has or allows no camera."""
        ...

    def close(self) -> None:
        """End the process, whatever it is doing."""
        ...


class Device(Protocol):
    """Where cases are measured.

    Attributes:
        name: As users write it: ``"local"``, ``"ssh://pi@host"``, ``"adb:SERIAL"``.
        emulated: Whether it is an emulator, whose figures are never compared with those of a real device. Known after
            :meth:`host`.
        together: Devices with the same word here are measured at the same time; one with none is measured alone.
    """

    emulated: bool
    together: str

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

    def accelerators(self, runtime: str) -> Sequence[str]:
        """What a runtime can be told there to compute on, as :attr:`Runtime.accelerators` of ``runtimes.adapter``."""
        ...

    def prepare(self, runtimes: Sequence[str]) -> None:
        """Copy there what these runtimes need and the device lacks.

        Called once; only the two methods above may be called before.

        Raises:
            MissingError: The device cannot be reached or is not fit to be measured; the message says what to do.
        """
        ...

    def host(self) -> Host:
        """The facts about the device that stay as they are during a measurement."""
        ...

    def snapshot(self) -> Snapshot:
        """The facts about the device that change during a measurement."""
        ...

    def start(self) -> Worker:
        """Start a worker with nothing loaded."""
        ...

    def reconnect(self) -> None:
        """Reach the device again after a worker raised a LostError; raises a LostError itself if that fails."""
        ...

    def close(self) -> None:
        """Remove what :meth:`prepare` copied there. Closing twice is fine, and so is closing without reaching it."""
        ...
