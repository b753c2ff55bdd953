"""A benchmark case: an artifact to be measured in a runtime; and a case run: the same while it is being measured."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pocketlens.bench.devices.device import BlockTimes, Device, LoadResult, Worker
from pocketlens.bench.document import BenchmarkSettings, Host
from pocketlens.bench.errors import LostError, WorkerError
from pocketlens.bench.plausibility import implausible
from pocketlens.bench.result import (
    Block,
    CaseResult,
    CaseTiming,
    ExecutionSettings,
    MeasuredArtifact,
    MeasuredRuntime,
    Memory,
    PictureCheck,
)
from pocketlens.errors import InputError, MissingError
from pocketlens.files import artifact_bytes
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import RUNTIMES, Options

_RECONNECT_SECONDS = 0.5
"""The pause before a lost connection is made again; four times as long each further time."""


@dataclass(frozen=True, eq=False)
class BenchmarkCase:
    """An artifact to be measured in a runtime.

    Attributes:
        artifact: Its id in the bundle, or any other name for it.
        path: The file or folder.
        target: A name of :data:`pocketlens.targets.TARGETS`.
        precision: The one that it was emitted in.
        runtime: A key of :data:`~pocketlens.runtimes.adapter.RUNTIMES`.
        picture: ``uint8 [H, W, 3]`` at the artifact's size, played in every frame.
        expected: What must come out of it, same shape, or None to time without a check.
        min_psnr: How close it must come, in dB.
        threads: Number of threads, or None for the runtime's own choice.
        macs: Multiply-adds of one picture, or None if they are not known. Times that imply too many a second are
            refused.
        accelerator: What computes: ``"cpu"``, ``"gpu"``, ``"npu"``, ``"auto"``, the runtime's own name for it such as
            ``"xnnpack"``, or None for the runtime's own choice.
        compute_precision: The precision of the arithmetic, or None for the runtime's own choice.
    """

    artifact: str
    path: Path
    target: str
    precision: str
    runtime: str
    picture: Picture
    expected: Picture | None = None
    min_psnr: float = 0.0
    threads: int | None = None
    macs: int | None = None
    accelerator: str | None = None
    compute_precision: str | None = None

    @property
    def requested(self) -> ExecutionSettings:
        """How the runtime is to play it, as the document holds it."""
        return ExecutionSettings.of(self.threads, self.accelerator, self.compute_precision)

    @property
    def options(self) -> Options:
        """How the runtime is to play it, as the runtime takes it."""
        return Options(self.threads, self.accelerator, self.compute_precision)


def is_interpreted(runtime: str) -> bool:
    """Whether a runtime only shows what an artifact computes, not how fast: nothing is timed in it."""
    return RUNTIMES[runtime].interpreted


def check_cases(cases: Sequence[BenchmarkCase]) -> None:
    """Refuse cases that cannot be measured, before anything is started.

    Raises:
        InputError: There are none, two are the same, or one is not as it must be; the message names it.
    """
    if not cases:
        raise InputError("there is nothing to measure", do="choose at least one artifact")
    seen = set()
    for case in cases:
        name = f"{case.artifact} in {case.runtime}"
        if (key := (case.artifact, case.runtime, case.requested)) in seen:
            raise InputError(f"{name} is listed twice", do="leave one out, or give them different threads")
        seen.add(key)
        if case.runtime not in RUNTIMES:
            raise InputError(f"there is no runtime {case.runtime!r}", do=f"choose one of {', '.join(RUNTIMES)}")
        if case.threads is not None and case.threads < 1:
            raise InputError(f"threads is {case.threads}, expected at least 1", do="leave it out")
        if not case.path.exists():
            raise InputError(f"{case.path} does not exist", do="check the path")
        for picture in (case.picture, case.expected):
            if picture is not None and (picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3):
                shape = f"{picture.dtype} {list(picture.shape)}"
                raise InputError(f"a picture for {name} is {shape}, expected uint8 [H, W, 3]", do="convert it first")


@dataclass
class CaseRun:
    """A benchmark case while it is being measured; :meth:`result` turns it into what the document holds.

    After a failure it plays nothing more and counts as done.
    """

    case: BenchmarkCase
    settings: BenchmarkSettings
    worker: Worker | None = None
    load: LoadResult | None = None
    first_ms: float = 0.0
    check: PictureCheck | None = None
    warmup_count: int = 0
    warm: bool = False
    blocks: list[Block] = field(default_factory=list)
    peak_mb: float | None = None
    camera_ms: tuple[float, ...] = ()
    skipped: str | None = None
    failure: str | None = None
    resumed: int = 0
    device: Device | None = None
    stylized: Picture | None = None
    _start_s: float = 0.0
    _played_s: float = 0.0

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """An error of the worker inside fails or skips this case alone, and ends its worker."""
        try:
            yield
        except MissingError as error:
            if self.blocks:
                self.failure = error.what
            else:
                self.skipped = error.what
            self.close()
        except WorkerError as error:
            self.failure = error.what
            self.close()

    def close(self) -> None:
        """End the worker; closing twice is fine."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    @property
    def progress(self) -> float:
        """How much of the timed part is done, 0..1; 1 means that it is over."""
        if self.worker is None:
            return 1.0
        if self._played_s >= self.settings.max_seconds + self.settings.answer_seconds:
            return 1.0  # by the clock here, whatever the device says
        played_s = sum(sum(block.frame_ms) for block in self.blocks) / 1000
        if self.settings.sustained or (self.load is not None and self.load.restarts):
            # A sustained measurement lasts minutes of the clock. A tool that starts for a few frames spends most time
            # starting.
            played_s = self._played_s
        count = sum(len(block.frame_ms) for block in self.blocks)
        if played_s >= self.settings.max_seconds:
            return 1.0
        blocks = len(self.blocks) / self.settings.min_blocks
        return min(1.0, played_s / self.settings.seconds, count / self.settings.count, blocks)

    def start(self, device: Device) -> None:
        """Start the worker, load the artifact, play the first frame and check it."""
        self.device = device
        self._reconnecting(self._start)

    def _start(self) -> None:
        assert self.device is not None
        case, timeout = self.case, self.settings.answer_seconds
        self.close()
        self.worker = self.device.start()
        load = self.worker.load(case.path, case.runtime, case.options, timeout)
        self.load = self.load or load
        if load.size != case.picture.shape[:2]:
            artifact, picture = ("{} x {}".format(*size[:2]) for size in (load.size, case.picture.shape))
            raise WorkerError(f"the artifact computes at {artifact}, the picture is {picture}", do="resize the picture")
        first = self.worker.first(case.picture, case.expected, timeout)
        self.first_ms = self.first_ms or first.first_ms
        self.stylized = first.stylized
        if first.psnr is None or first.largest_error is None:
            return
        self.check = PictureCheck(first.psnr, first.largest_error, case.min_psnr)
        if not self.check.holds:
            raise WorkerError(
                f"the picture is wrong: {first.psnr:.1f} dB against the expected one, at least "
                f"{case.min_psnr:g} dB are needed",
                do="verify the artifact; a wrong picture has no speed",
            )

    def _reconnecting(self, step: Callable[[], None]) -> None:
        """Take a step. After a loss of the connection: reconnect, load and warm up again, and take the step again."""
        lost = False
        while True:
            try:
                if lost and self.device is not None:
                    time.sleep(_RECONNECT_SECONDS * 4 ** (self.resumed - 1))
                    self.device.reconnect()
                    if step != self._start:
                        self._start()
                    if step == self._play:
                        self.warm = False
                        self._warm_up()
                step()
                return
            except LostError:
                if self.resumed == self.settings.resumes:
                    raise
                self.resumed += 1
                lost = True

    def warm_up(self) -> None:
        """Play blocks until the medians of two neighbours agree, or until the time for it is over."""
        self._reconnecting(self._warm_up)

    def _warm_up(self) -> None:
        previous_ms, played_s = 0.0, 0.0
        end_s = time.perf_counter() + self.settings.max_seconds
        while not self.warm and played_s < self.settings.warm_seconds and time.perf_counter() < end_s:
            block = self._play_block()
            self.warmup_count += len(block.frame_ms)
            played_s += sum(block.frame_ms) / 1000
            median_ms = float(np.median(block.frame_ms))
            self.warm = previous_ms > 0 and abs(median_ms / previous_ms - 1) < self.settings.warm_change
            previous_ms = median_ms

    def play(self, start_s: float) -> None:
        """Play one timed block; ``start_s`` is the clock's reading at the first one."""
        self._start_s = start_s
        self._reconnecting(self._play)

    def _play(self) -> None:
        start_s = self._start_s
        began_s = time.perf_counter()
        block = self._play_block()
        self._played_s += time.perf_counter() - began_s
        self.blocks.append(Block(round(time.perf_counter() - start_s, 3), block.frame_ms, block.inference_ms))

    def finish(self) -> None:
        """Ask the worker for what is measured once, after the timed part: the peak of its memory, and the camera."""
        self._reconnecting(self._finish)

    def _finish(self) -> None:
        assert self.worker is not None
        self.peak_mb = self.worker.peak_mb(self.settings.answer_seconds)
        self.camera_ms = self.worker.camera_ms(self.settings.answer_seconds)

    def _play_block(self) -> BlockTimes:
        assert self.worker is not None
        settings = self.settings
        timeout = settings.block_seconds + settings.answer_seconds
        return self.worker.play(settings.block_seconds, settings.block_count, timeout)

    def reject_implausible(self, host: Host) -> None:
        """Fail a case whose times imply more arithmetic than the processor can do. Its times stay in the document."""
        case, load = self.case, self.load
        if case.macs is None or load is None or not self.blocks or self._beyond_cpu:
            return
        median_ms = float(np.median([ms for block in self.blocks for ms in block.inference_ms]))
        precision = load.effective.compute_precision or case.precision
        if reason := implausible(case.macs, max(median_ms, 1e-6), host, precision):
            self.failure = self.failure or reason

    @property
    def _beyond_cpu(self) -> bool:
        """Whether something else than the host's processor may have computed."""
        effective = self.load.effective if self.load is not None else ExecutionSettings()
        accelerators = {self.case.accelerator, effective.accelerator}
        return bool(accelerators & {"gpu", "npu", "auto"}) or "gpu" in (effective.delegate or "")

    def result(self) -> CaseResult:
        """What the document holds of it."""
        case, load = self.case, self.load
        timing = memory = None
        if load is not None and self.blocks:
            timing = CaseTiming(
                load.load_ms, self.first_ms, self.warmup_count, self.warm, tuple(self.blocks), self.camera_ms
            )
        if load is not None and self.peak_mb is not None:
            memory = Memory(load.baseline_mb, self.peak_mb)
        size = (case.picture.shape[0], case.picture.shape[1])
        return CaseResult(
            artifact=MeasuredArtifact(
                case.artifact, case.target, case.precision, size, artifact_bytes(case.path), case.macs
            ),
            runtime=MeasuredRuntime(
                case.runtime,
                load.runtime_version if load else None,
                is_interpreted(case.runtime),
                load.emulated if load else False,
            ),
            picture=_digest(case.picture),
            requested=case.requested,
            effective=load.effective if load else ExecutionSettings(),
            check=self.check,
            timing=timing,
            memory=memory,
            skipped=self.skipped,
            failure=self.failure,
            resumed=self.resumed,
        )


def _digest(picture: Picture) -> str:
    shape = "x".join(map(str, picture.shape))
    return hashlib.sha256(f"{shape} ".encode() + np.ascontiguousarray(picture).tobytes()).hexdigest()
