"""Measure benchmark cases side by side: check the picture, warm up, play in turns, keep every sample."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pocketlens.bench.case import BenchmarkCase, CaseRun, check_cases, is_interpreted
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import BenchmarkSettings, Document, Environment, Snapshot, TimedSnapshot
from pocketlens.bench.errors import WorkerError
from pocketlens.bench.selection import Selection, select_cases
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.errors import MissingError
from pocketlens.images import Picture


@dataclass(frozen=True)
class BenchmarkProgress:
    """Where a measurement stands.

    Attributes:
        artifact: The artifact of the case that is being played.
        runtime: Its runtime.
        stage: ``"load"``, ``"warm up"``, ``"measure"`` or ``"cool down"``.
        share: How much of the timed part of all cases is done, 0..1.
    """

    artifact: str
    runtime: str
    stage: str
    share: float


Listener = Callable[[BenchmarkProgress], None]

_SNAPSHOT_SECONDS = 5.0
"""The time between two snapshots of a sustained measurement; one takes 0.2 s, during which nothing is played."""
_COOL_WITHIN_C = 2.0
"""A device has cooled down when it is at most so many degrees warmer than in the beginning."""


def measure(
    cases: Sequence[BenchmarkCase],
    settings: BenchmarkSettings | None = None,
    progress: Listener | None = None,
    device: Device | None = None,
    pictures: dict[str, Picture] | None = None,
) -> Document:
    """Measure benchmark cases side by side on one device.

    Each case gets a process of its own. All are loaded at the same time and played in turns, a block each, so that
    whatever slows the machine down meanwhile slows all of them. While one plays, the others sleep. In a sustained
    measurement they are loaded and played one after the other instead, with a pause to cool down.

    Args:
        cases: At least one. Those of interpreted runtimes only get their size.
        settings: How long; None for the short default.
        progress: Called before each step.
        device: Where; None for the machine that this runs on.
        pictures: Filled with the picture that each case made, by the label of its result.

    Returns:
        The document. A case that crashed, hung, could not be loaded or made a wrong picture is in it with its
        ``failure``, a case whose runtime is not installed with ``skipped``. Neither affects the other cases.

    Raises:
        InputError: There are no cases, two are the same, or one is not as it must be.
        MissingError: The device cannot be reached, or is not fit to be measured.
        AnswerError: The device sent what is no answer, and nothing of it is believed.
    """
    settings, device = settings or BenchmarkSettings(), device or Local()
    check_cases(cases)
    runs = [CaseRun(case, settings) for case in cases]
    timed = [run for run in runs if not is_interpreted(run.case.runtime)]
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with ExitStack() as stack:
        stack.callback(device.close)
        device.prepare(sorted({run.case.runtime for run in timed}))
        host, before = device.host(), device.snapshot()
        for run in timed:
            stack.callback(run.close)
        measurement = _Measurement(timed, device, settings, progress, before)
        measurement.play()
        for run in timed:
            run.close()
            run.reject_implausible(host)
        after = measurement.take_snapshot() or Snapshot()
        environment = Environment(
            device.name, device.emulated, began, host, before, after, tuple(measurement.timed_snapshots)
        )
    results = tuple(run.result() for run in runs)
    for run, result in zip(runs, results, strict=True):
        if pictures is not None and run.stylized is not None:
            pictures[result.label] = run.stylized
    return Document(environment, settings, results)


class _Measurement:
    """All runs of a measurement, in turns or one after the other, and the snapshots taken meanwhile."""

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
        self._start_s = time.perf_counter()
        self._last_snapshot_s = -_SNAPSHOT_SECONDS
        self.timed_snapshots: list[TimedSnapshot] = []

    def play(self) -> None:
        """Play them all."""
        if not self._settings.sustained:
            self._play(self._runs, with_snapshots=False)
            return
        for index, run in enumerate(self._runs):
            if index:
                self._cool_down(run)
            self._play([run], with_snapshots=True)
            run.close()

    def take_snapshot(self) -> Snapshot | None:
        """A snapshot, or None if the device cannot be reached any more: what was measured until then is kept."""
        try:
            return self._device.snapshot()
        except (WorkerError, MissingError):
            return None

    def _notify(self, run: CaseRun, stage: str) -> None:
        if self._progress is not None:
            shares = [run.progress if run.blocks or run.failure or run.skipped else 0.0 for run in self._runs]
            share = sum(shares) / len(shares) if stage in ("measure", "cool down") else 0.0
            self._progress(BenchmarkProgress(run.case.artifact, run.case.runtime, stage, share))

    def _play(self, runs: list[CaseRun], with_snapshots: bool) -> None:
        for run in runs:
            self._notify(run, "load")
            with run.isolated():
                run.start(self._device)
        for run in runs:
            if run.worker is not None:
                self._notify(run, "warm up")
                with run.isolated():
                    run.warm_up()
        if not any(run.blocks for run in self._runs):
            self._start_s = time.perf_counter()
        while waiting := [run for run in runs if run.progress < 1]:
            for run in waiting:
                self._notify(run, "measure")
                with run.isolated():
                    run.play(self._start_s)
            if with_snapshots:
                self._take_timed_snapshot()
        for run in runs:
            if run.worker is not None:
                with run.isolated():
                    run.finish()

    def _take_timed_snapshot(self) -> Snapshot | None:
        """A snapshot, noted with its time; None if the last one was taken a moment ago."""
        now_s = time.perf_counter() - self._start_s
        if now_s - self._last_snapshot_s < _SNAPSHOT_SECONDS:
            return None
        snapshot = self.take_snapshot()
        self._last_snapshot_s = now_s
        if snapshot is not None:
            self.timed_snapshots.append(TimedSnapshot(round(now_s, 3), snapshot))
        return snapshot

    def _cool_down(self, run: CaseRun) -> None:
        """Wait until the device is as cool as in the beginning, or until the time for that is over."""
        end_s = time.perf_counter() + self._settings.cooldown_seconds
        while (left_s := end_s - time.perf_counter()) > 0:
            self._notify(run, "cool down")
            time.sleep(min(left_s, _SNAPSHOT_SECONDS))
            snapshot, cool_c = self._take_timed_snapshot(), self._before.temperature_c
            if snapshot and snapshot.temperature_c and cool_c and snapshot.temperature_c <= cool_c + _COOL_WITHIN_C:
                return


def bench_bundle(
    path: Path | str | Bundle,
    selection: Selection | None = None,
    *,
    settings: BenchmarkSettings | None = None,
    progress: Listener | None = None,
    device: Device | None = None,
    pictures: dict[str, Picture] | None = None,
) -> Document:
    """Measure a bundle's artifacts. The first picture of each is checked against the teacher's golden picture.

    ::

        bench_bundle("wave.bundle", Selection(threads=(1, 2, 4)))  # three cases an artifact, in turns

    Args:
        path: The bundle: its folder, a zip of it, or opened.
        selection: Which artifacts, and how they are played; None for every artifact in the first runtime that is usable
            on the device.
        settings: How long; None for the short default.
        progress: Called before each step.
        device: Where; None for the machine that this runs on.
        pictures: As for :func:`measure`.

    Raises:
        InputError: The bundle is damaged, an id is unknown, or nothing fits the selection.
        MissingError: No runtime is installed that plays any of it, or the device cannot be reached.
    """
    if not isinstance(path, Bundle):
        with open_bundle(path) as bundle:
            return bench_bundle(
                bundle, selection, settings=settings, progress=progress, device=device, pictures=pictures
            )
    device = device or Local()
    document = measure(select_cases(path, selection, device), settings, progress, device, pictures)
    reasons = [result.skipped for result in document.results]
    if all(reasons):
        raise MissingError(
            f"nothing could be measured: {'; '.join(sorted({str(reason) for reason in reasons}))}",
            do="install a runtime: pip install 'pocketlens[litert]'",
        )
    return document
