"""A subject: an artifact to be measured in a runtime; and a run: the same while it is being measured."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pocketlens.bench.channel import LostError, WorkerError
from pocketlens.bench.devices.device import Device, LoadResult, Worker
from pocketlens.bench.document import BenchmarkSettings, Block, CaseResult, Host, Memory, PictureCheck, Timing
from pocketlens.bench.plausibility import implausible
from pocketlens.errors import InputError, MissingError
from pocketlens.files import artifact_bytes
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import RUNTIMES, Options

_PAUSE = 0.5
"""Seconds before a lost connection is made again; four times as long each further time."""

INTERPRETED = ("mil",)
"""Runtimes that show what an artifact computes, not how fast: they are never timed."""


@dataclass(frozen=True, eq=False)
class BenchmarkCase:
    """An artifact to be measured in a runtime.

    Attributes:
        artifact: Its id in the bundle, or any other name for it.
        path: The file or folder.
        target: ``"onnx"``, ``"openvino"``, ``"tflite"``, ``"coreml"``.
        precision: As it was emitted.
        runtime: A key of :data:`~pocketlens.runtimes.adapter.RUNTIMES`.
        picture: ``uint8 [H, W, 3]`` at the artifact's size, played in every frame.
        expected: What must come out of it, same shape, or None to time without a check.
        min_psnr: How close it must come, in dB.
        threads: Or None for the runtime's own choice.
        macs: Multiply-adds of one picture, or None if they are not known; times that imply too many a second are refused.
        delegate: What computes inside the runtime, or None for its own choice.
        compute: The precision to compute in, or None for the runtime's own choice.
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
    delegate: str | None = None
    compute: str | None = None

    @property
    def options(self) -> Options:
        """How the runtime is to play it."""
        return Options(self.threads, self.delegate, self.compute)


def check_cases(subjects: Sequence[BenchmarkCase]) -> None:
    """Refuse subjects that cannot be measured, before anything is started.

    Raises:
        InputError: There are none, two are the same, or one is not as it must be; the message names it.
    """
    if not subjects:
        raise InputError("there is nothing to measure", do="choose at least one artifact")
    seen = set()
    for subject in subjects:
        name = f"{subject.artifact} in {subject.runtime}"
        if (key := (subject.artifact, subject.runtime, subject.options)) in seen:
            raise InputError(f"{name} is listed twice", do="leave one out, or give them different threads")
        seen.add(key)
        if subject.runtime not in RUNTIMES:
            raise InputError(f"there is no runtime {subject.runtime!r}", do=f"choose one of {', '.join(RUNTIMES)}")
        if subject.threads is not None and subject.threads < 1:
            raise InputError(f"threads is {subject.threads}, expected at least 1", do="leave it out")
        if not subject.path.exists():
            raise InputError(f"{subject.path} does not exist", do="check the path")
        for picture in (subject.picture, subject.expected):
            if picture is not None and (picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3):
                found = f"{picture.dtype} {list(picture.shape)}"
                raise InputError(f"a picture for {name} is {found}, expected uint8 [H, W, 3]", do="convert it first")


@dataclass
class CaseRun:
    """A subject while it is being measured; :meth:`result` turns it into what the document holds.

    After a failure it plays nothing more and counts as done.
    """

    subject: BenchmarkCase
    settings: BenchmarkSettings
    worker: Worker | None = None
    load: LoadResult | None = None
    first_ms: float = 0.0
    check: PictureCheck | None = None
    warmup_count: int = 0
    warm: bool = False
    rounds: list[Block] = field(default_factory=list)
    peak_mb: float | None = None
    skipped: str | None = None
    failure: str | None = None
    resumed: int = 0
    device: Device | None = None
    stylized: Picture | None = None
    _begin: float = 0.0
    _wall: float = 0.0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Whatever goes wrong with the worker inside is this subject's own affair; its worker is ended."""
        try:
            yield
        except MissingError as error:
            if self.rounds:
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
    def share(self) -> float:
        """How much of the timed part is done, 0..1; 1 means that it is over."""
        if self.worker is None:
            return 1.0
        spent = sum(sum(one.frame_ms) for one in self.rounds) / 1000
        if self.settings.sustained or (self.load is not None and self.load.restarts):
            # Minutes are minutes; and a tool that is started for a few frames spends most of its time on starting.
            spent = self._wall
        count = sum(len(one.frame_ms) for one in self.rounds)
        if spent >= self.settings.most_seconds:
            return 1.0
        rounds = len(self.rounds) / self.settings.least_rounds
        return min(1.0, spent / self.settings.seconds, count / self.settings.count, rounds)

    def start(self, device: Device) -> None:
        """Start the worker, load the artifact, play the first frame and check it."""
        self.device = device
        self._resuming(self._start)

    def _start(self) -> None:
        assert self.device is not None
        subject, patience = self.subject, self.settings.answer_seconds
        self.close()
        self.worker = self.device.start()
        load = self.worker.load(subject.path, subject.runtime, subject.options, patience)
        self.load = self.load or load
        if load.size != subject.picture.shape[:2]:
            found, given = ("{} x {}".format(*size[:2]) for size in (load.size, subject.picture.shape))
            raise WorkerError(f"the artifact computes at {found}, the picture is {given}", do="resize the picture")
        first = self.worker.first(subject.picture, subject.expected, patience)
        self.first_ms = self.first_ms or first.first_ms
        self.stylized = first.stylized
        if first.psnr is None or first.largest_error is None:
            return
        self.check = PictureCheck(first.psnr, first.largest_error, subject.min_psnr)
        if not self.check.holds:
            raise WorkerError(
                f"the picture is wrong: {first.psnr:.1f} dB against the expected one, at least "
                f"{subject.min_psnr:g} dB are needed",
                do="verify the artifact; a wrong picture has no speed",
            )

    def _resuming(self, do: Callable[[], None]) -> None:
        """Do something; after a loss of the connection make it again, load and warm up again, and go on."""
        lost = False
        while True:
            try:
                if lost and self.device is not None:
                    time.sleep(_PAUSE * 4 ** (self.resumed - 1))
                    self.device.again()
                    if do != self._start:
                        self._start()
                    if do == self._play:
                        self.warm = False
                        self._warm_up()
                do()
                return
            except LostError:
                if self.resumed == self.settings.resumes:
                    raise
                self.resumed += 1
                lost = True

    def warm_up(self) -> None:
        """Play blocks until two neighbours agree, or it takes too long."""
        self._resuming(self._warm_up)

    def _warm_up(self) -> None:
        before, spent = 0.0, 0.0
        while not self.warm and spent < self.settings.warm_seconds:
            block = self._block()
            self.warmup_count += len(block.frame_ms)
            spent += sum(block.frame_ms) / 1000
            median = float(np.median(block.frame_ms))
            self.warm = before > 0 and abs(median / before - 1) < self.settings.warm_change
            before = median

    def play(self, start: float) -> None:
        """Play one timed block; ``start`` is the clock's reading at the first one."""
        self._begin = start
        self._resuming(self._play)

    def _play(self) -> None:
        start = self._begin
        began = time.perf_counter()
        block = self._block()
        self._wall += time.perf_counter() - began
        self.rounds.append(Block(round(time.perf_counter() - start, 3), block.frame_ms, block.inference_ms))

    def weigh(self) -> None:
        """Ask for the peak memory."""
        self._resuming(self._weigh)

    def _weigh(self) -> None:
        assert self.worker is not None
        self.peak_mb = self.worker.peak_mb(self.settings.answer_seconds)

    def _block(self) -> Block:
        assert self.worker is not None
        settings = self.settings
        patience = settings.block_seconds + settings.answer_seconds
        block = self.worker.play(settings.block_seconds, settings.block_count, patience)
        if not block.frame_ms or len(block.frame_ms) != len(block.inference_ms):
            raise WorkerError("the worker played no frames", do="check its version")
        return Block(0.0, block.frame_ms, block.inference_ms)

    def doubt(self, host: Host) -> None:
        """Refuse times that imply more arithmetic than the processor can do; what was measured is kept beside it."""
        macs, load = self.subject.macs, self.load
        if macs is None or load is None or not self.rounds or "gpu" in (load.delegate or ""):
            return
        median = float(np.median([one for block in self.rounds for one in block.inference_ms]))
        if why := implausible(macs, max(median, 1e-6), host, load.precision or self.subject.precision):
            self.failure = self.failure or why

    def result(self) -> CaseResult:
        """What the document holds of it."""
        subject, load = self.subject, self.load
        timing = memory = None
        if load is not None and self.rounds:
            timing = Timing(load.load_ms, self.first_ms, self.warmup_count, self.warm, tuple(self.rounds))
        if load is not None and self.peak_mb is not None:
            memory = Memory(load.baseline_mb, self.peak_mb)
        return CaseResult(
            artifact=subject.artifact,
            target=subject.target,
            precision=subject.precision,
            size=(subject.picture.shape[0], subject.picture.shape[1]),
            bytes=artifact_bytes(subject.path),
            runtime=subject.runtime,
            threads=subject.threads,
            picture=_digest(subject.picture),
            interpreted=subject.runtime in INTERPRETED,
            runtime_version=load.runtime_version if load else None,
            effective_threads=load.threads if load else None,
            effective_precision=load.precision if load else None,
            check=self.check,
            timing=timing,
            memory=memory,
            skipped=self.skipped,
            failure=self.failure,
            resumed=self.resumed,
            delegate=load.delegate if load else None,
            macs=subject.macs,
            asked_delegate=subject.delegate,
            asked_precision=subject.compute,
        )


def _digest(picture: Picture) -> str:
    shape = "x".join(map(str, picture.shape))
    return hashlib.sha256(f"{shape} ".encode() + np.ascontiguousarray(picture).tobytes()).hexdigest()
