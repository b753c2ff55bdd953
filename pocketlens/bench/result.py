"""What was measured of one benchmark case. Every class here is a part of the measurement document: see ``document.py``.

Times are wall-clock milliseconds, memory and sizes are megabytes of 10**6 bytes.
"""

from dataclasses import dataclass, field

from pocketlens.bundle import typed
from pocketlens.runtimes.adapter import PROCESSORS


@dataclass(frozen=True)
class MeasuredArtifact:
    """The file that was played.

    Attributes:
        id: For instance ``"tflite-fp16-256x256"``.
        target: A name of :data:`pocketlens.targets.TARGETS`.
        precision: The one that it was emitted in.
        size: Height and width, in pixels.
        bytes: On disk, all files of the artifact together.
        macs: Multiply-adds of one picture, or None where they were not known.
    """

    id: str
    target: str
    precision: str
    size: tuple[int, int]
    bytes: int
    macs: int | None = None


@dataclass(frozen=True)
class MeasuredRuntime:
    """The runtime that played it.

    Attributes:
        name: A key of :data:`pocketlens.runtimes.adapter.RUNTIMES`.
        version: The library's version, or None where nothing was played.
        interpreted: Whether it only shows what an artifact computes, not how fast. Such a case is never timed.
        emulated: Whether software stood in for the accelerator. Such times decide nothing.
    """

    name: str
    version: str | None = None
    interpreted: bool = False
    emulated: bool = False


@dataclass(frozen=True)
class ExecutionSettings:
    """How a runtime plays an artifact: as it was requested, or as the runtime reports it.

    None means that the choice was left to the runtime, or that the runtime does not report it.

    Attributes:
        threads: Number of threads.
        accelerator: What computes: ``"cpu"``, ``"gpu"``, ``"npu"`` or ``"auto"``.
        delegate: What computes, under the runtime's own name for it, for instance ``"xnnpack"``.
        compute_precision: The precision of the arithmetic, which may differ from the artifact's.
    """

    threads: int | None = None
    accelerator: str | None = None
    delegate: str | None = None
    compute_precision: str | None = None

    @classmethod
    def of(cls, threads: int | None, accelerator: str | None, compute_precision: str | None) -> "ExecutionSettings":
        """The settings of a request, whose accelerator may be a kind of processor or the runtime's own name.

        Example:
            >>> ExecutionSettings.of(2, "xnnpack", None)
            ExecutionSettings(threads=2, accelerator=None, delegate='xnnpack', compute_precision=None)
        """
        if accelerator is None or accelerator in PROCESSORS:
            return cls(threads, accelerator, None, compute_precision)
        return cls(threads, None, accelerator, compute_precision)

    @property
    def text(self) -> str:
        """In words; empty if nothing is set.

        Example:
            >>> ExecutionSettings(threads=2, delegate="xnnpack").text
            '2 threads, xnnpack'
        """
        threads = f"{self.threads} thread{'s' if self.threads != 1 else ''}" if self.threads else ""
        precision = f"computing in {self.compute_precision}" if self.compute_precision else ""
        return ", ".join(filter(None, (threads, self.accelerator, self.delegate, precision)))


@dataclass(frozen=True)
class PictureCheck:
    """The first picture against the expected one, before anything was timed: PSNR in dB and the limit it must reach."""

    psnr: float
    largest_error: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the picture is the expected one."""
        return self.psnr >= self.limit


@dataclass(frozen=True)
class Memory:
    """Resident memory of the process that played the case.

    Attributes:
        baseline_mb: The peak before the runtime was imported: Python, numpy, Pillow.
        peak_mb: The peak after the last frame.
    """

    baseline_mb: float
    peak_mb: float

    @property
    def added_mb(self) -> float:
        """What the runtime, the artifact and its buffers added: the part that an app would carry."""
        return max(0.0, self.peak_mb - self.baseline_mb)


@dataclass(frozen=True)
class Block:
    """Frames that were played without a break.

    Attributes:
        at_s: When the block ended, in seconds since the first timed block of the document.
        frame_ms: From picture in to picture out (``session(image)``), ``uint8`` both, at the artifact's size.
        inference_ms: The runtime's part of each frame, until its output had been read back.
    """

    at_s: float
    frame_ms: tuple[float, ...]
    inference_ms: tuple[float, ...]


@dataclass(frozen=True)
class CaseTiming:
    """Raw times of one case.

    Attributes:
        load_ms: Opening the artifact in the runtime, the runtime's library already imported.
        first_ms: The first frame after loading.
        warmup_count: Frames that were played before the timed ones.
        warm: Whether the times became stable during the warm-up.
        blocks: The timed frames, in the order in which they were played.
        camera_ms: From the moment at which a camera took a picture until the filtered one was on the screen. Only
            browsers measure it, with the camera allowed; empty elsewhere.
    """

    load_ms: float
    first_ms: float
    warmup_count: int
    warm: bool
    blocks: tuple[Block, ...] = field(metadata=typed.key("rounds"))
    camera_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class CaseResult:
    """One benchmark case: an artifact in a runtime, how it was played, and what came of it.

    Attributes:
        artifact: What was played.
        runtime: What played it.
        requested: How it was to be played.
        effective: How the runtime reports that it played.
        picture: SHA-256 of the picture's shape and pixels. Only results of the same picture are compared.
        check: None if there was no expected picture.
        timing: None if the case was not timed. A case that failed midway keeps what it had.
        memory: None where the device does not report it.
        skipped: Why the case was not played through no fault of its own, or None.
        failure: Why the case failed, or None.
        resumed: How often the connection was lost and made again. The case was then loaded and warmed up again.
    """

    artifact: MeasuredArtifact = field(metadata=typed.flattened(id="artifact"))
    runtime: MeasuredRuntime = field(
        metadata=typed.flattened(name="runtime", version="runtime_version", emulated="runtime_emulated")
    )
    picture: str
    requested: ExecutionSettings = field(
        default_factory=ExecutionSettings,
        metadata=typed.flattened(
            accelerator="asked_accelerator", delegate="asked_delegate", compute_precision="asked_precision"
        ),
    )
    effective: ExecutionSettings = field(
        default_factory=ExecutionSettings,
        metadata=typed.flattened(
            threads="effective_threads", accelerator="effective_accelerator", compute_precision="effective_precision"
        ),
    )
    check: PictureCheck | None = None
    timing: CaseTiming | None = None
    memory: Memory | None = None
    skipped: str | None = None
    failure: str | None = None
    resumed: int = 0

    @property
    def label(self) -> str:
        """The case's name in tables: ``"onnx-fp32-256x256 in openvino, 2 threads"``."""
        return ", ".join(filter(None, (f"{self.artifact.id} in {self.runtime.name}", self.requested.text)))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The timed blocks; empty if there are none."""
        return self.timing.blocks if self.timing else ()
