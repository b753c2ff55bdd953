"""Measure on several devices: an error of one affects no other."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pocketlens.bench.budget import PerformanceBudget, Verdict, judge_all, overall
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.errors import AnswerError, WorkerError
from pocketlens.bench.measure import BenchmarkProgress, bench_bundle
from pocketlens.bench.selection import Selection
from pocketlens.bundle.read import Bundle
from pocketlens.errors import InputError, MissingError, PocketlensError
from pocketlens.images import Picture

Listener = Callable[[str, BenchmarkProgress], None]
Keep = Callable[["DeviceOutcome"], None]


@dataclass(frozen=True)
class DeviceOutcome:
    """The outcome of one device: a document, or the reason why there is none.

    Attributes:
        device: Its name.
        document: What was measured there.
        error: Why nothing was.
        pictures: The picture that each case made, by the label of its result.
    """

    device: str
    document: Document | None
    error: PocketlensError | None = None
    pictures: Mapping[str, Picture] = field(default_factory=dict)

    def verdict(self, budget: PerformanceBudget) -> Verdict:
        """The worst verdict of the device; a case that failed breaks any budget."""
        if self.document is None or any(result.failure for result in self.document.results):
            return "fail"
        return overall(judge_all(self.document, budget))


def file_name(device: str) -> str:
    """A device's name as a file's.

    Example:
        >>> file_name("ssh://pi@host:22")
        'ssh-pi-host-22'
    """
    return re.sub(r"[^A-Za-z0-9.]+", "-", device).strip("-")


def open_devices(name: str, ssh_config: Path | None = None, benchmark_model: Path | None = None) -> list[Device]:
    """The devices of a name, without reaching them yet: one, except for ``"web:N"``, which stands for N browsers.

    Args:
        name: ``"local"``, ``"ssh://user@host"``, ``"adb:SERIAL"`` (``"adb:"`` for the only one) or ``"web:"``.
        ssh_config: For ssh, another configuration file than ``~/.ssh/config``.
        benchmark_model: For adb, LiteRT's benchmark tool built for the device; None if the device has it already.

    Raises:
        InputError: There is no such kind of device; the message lists them.
        MissingError: What serves browsers is not installed.
    """
    if name == "local":
        return [Local()]
    if name.startswith("ssh://"):
        from pocketlens.bench.devices.ssh import open_ssh

        return [open_ssh(name, ssh_config)]
    if name.startswith("adb:"):
        from pocketlens.bench.devices.android import open_adb

        return [open_adb(name, benchmark_model)]
    if name.startswith("web:"):
        from pocketlens.bench.devices.web import open_web

        return list(open_web(name))
    kinds = "local, ssh://user@host, adb:SERIAL (adb: for the only one) or web:"
    raise InputError(f"{name!r} is no device", do=f"write {kinds}")


def open_device(name: str, ssh_config: Path | None = None, benchmark_model: Path | None = None) -> Device:
    """The device of a name that stands for one; see :func:`open_devices`.

    Raises:
        InputError: There is no such kind of device, or the name stands for several.
        MissingError: What serves browsers is not installed.
    """
    devices = open_devices(name, ssh_config, benchmark_model)
    if len(devices) > 1:
        for device in devices:
            device.close()
        raise InputError(f"{name!r} stands for {len(devices)} devices, one is needed", do="name one")
    return devices[0]


def bench_devices(
    bundle: Bundle,
    devices: Sequence[Device],
    selection: Selection | None = None,
    *,
    settings: BenchmarkSettings | None = None,
    progress: Listener | None = None,
    keep: Keep | None = None,
) -> list[DeviceOutcome]:
    """Measure a bundle on several devices: one after the other where they would disturb each other, phones at once.

    Args:
        bundle: The bundle.
        devices: In order.
        selection: Which artifacts, and how they are played.
        settings: How long.
        progress: Called before each step, with the device's name.
        keep: Called with each outcome as soon as it is there, so that a later error cannot lose it.

    Returns:
        One outcome a device, in order. A device that could not be reached, or sent what is no answer, has its error.
        An :class:`InputError` is raised: it is about the bundle or the selection, and not about a device.
    """

    def on_one(device: Device) -> DeviceOutcome:
        def notify(step: BenchmarkProgress) -> None:
            if progress is not None:
                progress(device.name, step)

        return _outcome(bundle, device, selection, settings, notify)

    outcomes: dict[int, DeviceOutcome] = {}
    groups = groupby(range(len(devices)), key=lambda i: devices[i].together or str(i))
    for indexes in (list(group) for _, group in groups):
        for i, outcome in _outcomes(indexes, lambda i: on_one(devices[i]), lambda i: devices[i].close()):
            outcomes[i] = outcome
            if keep is not None:
                keep(outcome)
    return [outcomes[i] for i in range(len(devices))]


def _outcomes(
    indexes: Sequence[int], measure: Callable[[int], DeviceOutcome], close: Callable[[int], None]
) -> Iterator[tuple[int, DeviceOutcome]]:
    """The outcomes of devices that are measured at once, as they come; one alone needs no thread."""
    if len(indexes) == 1:
        yield indexes[0], measure(indexes[0])
        return
    with ThreadPoolExecutor(len(indexes)) as pool:
        running = {pool.submit(measure, i): i for i in indexes}
        try:
            for done in as_completed(running):
                yield running[done], done.result()
        except BaseException:  # an interrupt: what is measured meanwhile ends as well
            for i in indexes:
                close(i)
            raise


def _outcome(
    bundle: Bundle,
    device: Device,
    selection: Selection | None,
    settings: BenchmarkSettings | None,
    notify: Callable[[BenchmarkProgress], None],
) -> DeviceOutcome:
    try:
        pictures: dict[str, Picture] = {}
        document = bench_bundle(bundle, selection, settings=settings, progress=notify, device=device, pictures=pictures)
        return DeviceOutcome(device.name, document, pictures=pictures)
    except (MissingError, WorkerError, AnswerError) as error:
        return DeviceOutcome(device.name, None, error)
    except OSError as error:
        # Of this machine, while it worked with that device: other devices can still be measured.
        return DeviceOutcome(device.name, None, WorkerError(f"{device.name}: {error}", do="look at this machine"))
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        # What it sent went through a hole in the types; the others' figures are not lost with it.
        what = f"{device.name} sent what cannot be used: {type(error).__name__}: {error}"
        return DeviceOutcome(device.name, None, AnswerError(what, do="look at the device, and report this"))
