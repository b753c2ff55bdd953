"""Measure subjects side by side: check the picture, warm up, play in turns, keep every sample."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pocketlens import images
from pocketlens.bench.channel import WorkerError
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import Document, Environment, Moment, Settings, Snapshot
from pocketlens.bench.subject import INTERPRETED, Run, Subject, check_subjects
from pocketlens.bundle.manifest import Artifact, Golden
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes.adapter import RUNTIMES

__all__ = ["Progress", "Subject", "bench_bundle", "measure", "subjects_of"]


@dataclass(frozen=True)
class Progress:
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


Listener = Callable[[Progress], None]

_LOOK_SECONDS = 5.0
"""How often a sustained measurement looks at the device; looking takes 0.2 s, during which nothing is played."""
_WARMER = 2.0
"""Degrees above the beginning at which a device has cooled down."""


def measure(
    subjects: Sequence[Subject],
    settings: Settings | None = None,
    progress: Listener | None = None,
    device: Device | None = None,
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

    Returns:
        The document. A subject that crashed, hung, could not be loaded or gave a wrong picture is in it with its
        ``failure``, one whose runtime is not installed with ``skipped``; neither costs the others anything.

    Raises:
        InputError: There are no subjects, two are the same, or one is not as it must be.
        MissingError: The device cannot be reached, or is not fit to be measured.
    """
    settings, device = settings or Settings(), device or Local()
    check_subjects(subjects)
    runs = [Run(subject, settings) for subject in subjects]
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
    return Document(environment, settings, tuple(run.result() for run in runs))


class _Stage:
    """All runs of a measurement, in turns or one after the other, and what the device said meanwhile."""

    def __init__(
        self, runs: list[Run], device: Device, settings: Settings, progress: Listener | None, before: Snapshot
    ) -> None:
        self._runs, self._device, self._settings, self._progress = runs, device, settings, progress
        self._before = before
        self._start = time.perf_counter()
        self._looked = -_LOOK_SECONDS
        self.moments: list[Moment] = []

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

    def _tell(self, run: Run, stage: str) -> None:
        if self._progress is not None:
            shares = [one.share if one.rounds or one.failure or one.skipped else 0.0 for one in self._runs]
            done = sum(shares) / len(shares) if stage in ("measure", "cool down") else 0.0
            self._progress(Progress(run.subject.artifact, run.subject.runtime, stage, done))

    def _play(self, runs: list[Run], looking: bool) -> None:
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
            self.moments.append(Moment(round(now, 3), found))
        return found

    def _cool_down(self, run: Run) -> None:
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
    *,
    artifacts: Sequence[str] | None = None,
    runtimes: Sequence[str] | None = None,
    threads: int | None = None,
    settings: Settings | None = None,
    progress: Listener | None = None,
    device: Device | None = None,
) -> Document:
    """Measure a bundle's artifacts; each one's first picture is checked against the teacher's golden picture.

    Args:
        path: The bundle: its folder, a zip of it, or opened.
        artifacts: Only these, by their ids; None for all.
        runtimes: Every one of these that plays an artifact; None for the first that is usable on the device.
        threads: For every subject; None for the runtimes' own choice.
        settings: How long; None for the short default.
        progress: Called before each step.
        device: Where; None for the machine that this runs on.

    Raises:
        InputError: The bundle is damaged, an id or runtime is unknown, or nothing fits what was asked for.
        MissingError: No runtime is installed that plays any of it.
    """
    if not isinstance(path, Bundle):
        with open_bundle(path) as bundle:
            return bench_bundle(
                bundle,
                artifacts=artifacts,
                runtimes=runtimes,
                threads=threads,
                settings=settings,
                progress=progress,
                device=device,
            )
    device = device or Local()
    document = measure(subjects_of(path, artifacts, runtimes, threads, device), settings, progress, device)
    reasons = [result.skipped for result in document.subjects]
    if all(reasons):
        raise MissingError(
            f"nothing could be measured: {'; '.join(sorted({str(reason) for reason in reasons}))}",
            do="install a runtime: pip install 'pocketlens[litert]'",
        )
    return document


def subjects_of(
    bundle: Bundle,
    artifacts: Sequence[str] | None = None,
    runtimes: Sequence[str] | None = None,
    threads: int | None = None,
    device: Device | None = None,
) -> list[Subject]:
    """The subjects in a bundle; see :func:`bench_bundle`."""
    device = device or Local()
    for name in runtimes or ():
        if name not in RUNTIMES:
            raise InputError(f"there is no runtime {name!r}", do=f"choose one of {', '.join(RUNTIMES)}")
    chosen = bundle.manifest.artifacts if artifacts is None else tuple(bundle.artifact(one) for one in artifacts)
    found = [
        _subject(bundle, artifact, name, threads)
        for artifact in chosen
        for name in _runtimes_for(artifact, runtimes, device)
    ]
    if not found:
        plays = ", ".join(sorted({name for artifact in chosen for name in artifact.runtimes}))
        raise InputError(f"{', '.join(runtimes or ())} plays none of the artifacts", do=f"choose from {plays}")
    return found


def _runtimes_for(artifact: Artifact, runtimes: Sequence[str] | None, device: Device) -> list[str]:
    if runtimes is not None:
        return [name for name in artifact.runtimes if name in runtimes]
    known = [name for name in artifact.runtimes if name in RUNTIMES]
    usable = [name for name in known if not device.missing(name)]
    return (usable or known)[:1]


def _subject(bundle: Bundle, artifact: Artifact, runtime: str, threads: int | None) -> Subject:
    golden = _golden(bundle, artifact)
    return Subject(
        artifact=artifact.id,
        path=bundle.path_of(artifact),
        target=artifact.target,
        precision=artifact.precision,
        runtime=runtime,
        picture=images.read(bundle.file(golden.picture)),
        expected=images.read(bundle.file(golden.expected)),
        min_psnr=artifact.golden_psnr,
        threads=threads,
        macs=_macs(bundle, artifact),
    )


def _macs(bundle: Bundle, artifact: Artifact) -> int | None:
    """Multiply-adds of one picture, from the bundle's ONNX file of the same size, where there is one and onnx to read it."""
    alike = (one for one in bundle.manifest.artifacts if one.target == "onnx" and one.precision == "fp32")
    found = next((one for one in alike if (one.height, one.width) == (artifact.height, artifact.width)), None)
    if found is None or find_spec("onnx_ir") is None:
        return None
    from pocketlens.converters import graph as hub

    try:
        return hub.macs(hub.load(bundle.path_of(found)))
    except InputError:  # a shape in it is not fixed: nothing can be counted
        return None


def _golden(bundle: Bundle, artifact: Artifact) -> Golden:
    for golden in bundle.manifest.golden:
        if (golden.height, golden.width) == (artifact.height, artifact.width):
            return golden
    raise InputError(
        f"the bundle has no golden picture of {artifact.height} x {artifact.width}", do="build the bundle again"
    )
