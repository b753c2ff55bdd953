"""Measure subjects side by side: check the picture, warm up, play in turns, keep every sample."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bench.case import INTERPRETED, BenchmarkCase, CaseRun, check_cases
from pocketlens.bench.channel import WorkerError
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import BenchmarkSettings, Document, Environment, Snapshot, TimedSnapshot
from pocketlens.bench.selection import Selection, select_cases
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.errors import MissingError
from pocketlens.images import Picture

__all__ = ["BenchmarkCase", "BenchmarkProgress", "Selection", "bench_bundle", "measure", "select_cases"]


@dataclass(frozen=True)
class BenchmarkProgress:
    """Where a measurement stands.

    Attributes:
        artifact: The subject at work.
        runtime: Its runtime.
        stage: ``"load"``, ``"warm up"``, ``"measure"`` or ``"cool down"``.
        share: How much of the timed part of all subjects is done, 0..1.
    """

    artifact: str
    runtime: str
    stage: str
    share: float


Listener = Callable[[BenchmarkProgress], None]

_LOOK_SECONDS = 5.0
"""How often a sustained measurement looks at the device; looking takes 0.2 s, during which nothing is played."""
_WARMER = 2.0
"""Degrees above the beginning at which a device has cooled down."""


def measure(
    subjects: Sequence[BenchmarkCase],
    settings: BenchmarkSettings | None = None,
    progress: Listener | None = None,
    device: Device | None = None,
    pictures: dict[str, Picture] | None = None,
) -> Document:
    """Measure subjects side by side on one device.

    Each subject gets a process of its own, all loaded at the same time, and they are played in turns, a block each, so that
    whatever slows the machine down meanwhile slows all of them. While one plays, the others sleep. In a sustained
    measurement they are loaded and played one after the other instead, with a pause to cool down.

    Args:
        subjects: At least one; those of interpreted runtimes only get their size.
        settings: How long; None for the short default.
        progress: Called before each step.
        device: Where; None for the machine that this runs on.
        pictures: Filled with what each subject made of its picture, by the label of its result.

    Returns:
        The document. A subject that crashed, hung, could not be loaded or gave a wrong picture is in it with its
        ``failure``, one whose runtime is not installed with ``skipped``; neither costs the others anything.

    Raises:
        InputError: There are no subjects, two are the same, or one is not as it must be.
        MissingError: The device cannot be reached, or is not fit to be measured.
    """
    settings, device = settings or BenchmarkSettings(), device or Local()
    check_cases(subjects)
    runs = [CaseRun(subject, settings) for subject in subjects]
    timed = [run for run in runs if run.subject.runtime not in INTERPRETED]
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with ExitStack() as stack:
        stack.callback(device.close)
        device.prepare(sorted({run.subject.runtime for run in timed}))
        host, before = device.host(), device.snapshot()
        for run in timed:
            stack.callback(run.close)
        stage = _Stage(timed, device, settings, progress, before)
        stage.play()
        for run in timed:
            run.close()
            run.doubt(host)
        environment = Environment(
            device.name, device.emulated, began, host, before, stage.look() or Snapshot(), tuple(stage.moments)
        )
    results = tuple(run.result() for run in runs)
    for run, result in zip(runs, results, strict=True):
        if pictures is not None and run.stylized is not None:
            pictures[result.label] = run.stylized
    return Document(environment, settings, results)


class _Stage:
    """All runs of a measurement, in turns or one after the other, and what the device said meanwhile."""

    def __init__(
        self,
        runs: list[CaseRun],
        device: Device,
        settings: BenchmarkSettings,
        progress: Listener | None,
        before: Snapshot,
    ) -> None:
        self._runs, self._device, self._settings, self._progress = runs, device, settings, progress
        self._before = before
        self._start = time.perf_counter()
        self._looked = -_LOOK_SECONDS
        self.moments: list[TimedSnapshot] = []

    def play(self) -> None:
        """Play them all."""
        if not self._settings.sustained:
            self._play(self._runs, looking=False)
            return
        for index, run in enumerate(self._runs):
            if index:
                self._cool_down(run)
            self._play([run], looking=True)
            run.close()

    def look(self) -> Snapshot | None:
        """A snapshot, or None if the device has gone: what was measured until then is kept."""
        try:
            return self._device.snapshot()
        except (WorkerError, MissingError):
            return None

    def _tell(self, run: CaseRun, stage: str) -> None:
        if self._progress is not None:
            shares = [one.share if one.rounds or one.failure or one.skipped else 0.0 for one in self._runs]
            done = sum(shares) / len(shares) if stage in ("measure", "cool down") else 0.0
            self._progress(BenchmarkProgress(run.subject.artifact, run.subject.runtime, stage, done))

    def _play(self, runs: list[CaseRun], looking: bool) -> None:
        for run in runs:
            self._tell(run, "load")
            with run.alone():
                run.start(self._device)
        for run in runs:
            if run.worker is not None:
                self._tell(run, "warm up")
                with run.alone():
                    run.warm_up()
        if not any(run.rounds for run in self._runs):
            self._start = time.perf_counter()
        while waiting := [run for run in runs if run.share < 1]:
            for run in waiting:
                self._tell(run, "measure")
                with run.alone():
                    run.play(self._start)
            if looking:
                self._note()
        for run in runs:
            if run.worker is not None:
                with run.alone():
                    run.weigh()

    def _note(self) -> Snapshot | None:
        now = time.perf_counter() - self._start
        if now - self._looked < _LOOK_SECONDS:
            return None
        found = self.look()
        self._looked = now
        if found is not None:
            self.moments.append(TimedSnapshot(round(now, 3), found))
        return found

    def _cool_down(self, run: CaseRun) -> None:
        """Wait until the device is as cool as in the beginning, or the time for that is over."""
        end = time.perf_counter() + self._settings.cooldown_seconds
        while (left := end - time.perf_counter()) > 0:
            self._tell(run, "cool down")
            time.sleep(min(left, _LOOK_SECONDS))
            found, cool = self._note(), self._before.temperature_c
            if found and found.temperature_c and cool and found.temperature_c <= cool + _WARMER:
                return


def bench_bundle(
    path: Path | str | Bundle,
    choice: Selection | None = None,
    *,
    settings: BenchmarkSettings | None = None,
    progress: Listener | None = None,
    device: Device | None = None,
    pictures: dict[str, Picture] | None = None,
) -> Document:
    """Measure a bundle's artifacts; each one's first picture is checked against the teacher's golden picture.

    ::

        bench_bundle("wave.bundle", Selection(threads=(1, 2, 4)))  # three subjects an artifact, in turns

    Args:
        path: The bundle: its folder, a zip of it, or opened.
        choice: What of it, and how; None for every artifact in the first runtime that is usable on the device.
        settings: How long; None for the short default.
        progress: Called before each step.
        device: Where; None for the machine that this runs on.
        pictures: As for :func:`measure`.

    Raises:
        InputError: The bundle is damaged, an id is unknown, or nothing fits what was asked for.
        MissingError: No runtime is installed that plays any of it, or the device cannot be reached.
    """
    if not isinstance(path, Bundle):
        with open_bundle(path) as bundle:
            return bench_bundle(bundle, choice, settings=settings, progress=progress, device=device, pictures=pictures)
    device = device or Local()
    document = measure(select_cases(path, choice, device), settings, progress, device, pictures)
    reasons = [result.skipped for result in document.subjects]
    if all(reasons):
        raise MissingError(
            f"nothing could be measured: {'; '.join(sorted({str(reason) for reason in reasons}))}",
            do="install a runtime: pip install 'pocketlens[litert]'",
        )
    return document
