"""Several devices in one call: what happens to one never costs the others their figures."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench.devices.android import open_adb
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.errors import WorkerError
from pocketlens.bench.measure import BenchmarkProgress
from pocketlens.bench.multi_device import DeviceOutcome, bench_devices
from pocketlens.bench.selection import Selection
from pocketlens.bundle.read import open_bundle
from tests.bench.cases import QUICK
from tests.bench.devices.adbd import Adbd
from tests.bench.devices.phones import device_of
from tests.bench.devices.sshd import Sshd, workers

SETTINGS = replace(QUICK, seconds=0.3, count=8, answer_seconds=15, resumes=1)
ONE = Selection(["onnx-fp32-48x64"], threads=(1,))
Harm = Callable[[], None]


def bench(
    bundle: Path, devices: list[Device], victim: str, harm: Harm, settings: BenchmarkSettings = SETTINGS
) -> list[DeviceOutcome]:
    """Measure on devices in order, and do one of them harm in the middle of its frames."""
    outcomes_kept: list[DeviceOutcome] = []
    harmed = False

    def listen(name: str, progress: BenchmarkProgress) -> None:
        nonlocal harmed
        if name == victim and progress.stage == "measure" and progress.share > 0.2 and not harmed:
            harmed = True
            harm()

    with open_bundle(bundle) as opened:
        outcomes = bench_devices(opened, devices, ONE, settings=settings, progress=listen, keep=outcomes_kept.append)
    assert outcomes_kept == outcomes and [outcome.device for outcome in outcomes] == [
        outcome.name for outcome in devices
    ]
    return outcomes


def check_whole(outcomes: list[DeviceOutcome]) -> None:
    for outcome in outcomes:
        assert outcome.error is None and outcome.document is not None
        for result in outcome.document.results:
            assert result.failure is None and result.check is not None and result.blocks
            assert outcome.pictures[result.label].shape == (48, 64, 3)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketlens.bench.case._RECONNECT_SECONDS", 0.01)
    monkeypatch.setattr("pocketlens.bench.devices.adb._RECONNECT_SECONDS", 0.1)


def test_a_hung_device(bundle: Path, sshd: Sshd, phone: Adbd) -> None:
    devices = [Local(), sshd.device(), device_of(phone)]
    # Twice 8 seconds without an answer; a slow machine needs some for a start.
    first, hung, last = bench(bundle, devices, "ssh://loopback", sshd.hang, replace(SETTINGS, answer_seconds=8))
    sshd.cut()
    check_whole([first, last])
    assert hung.document is not None
    (result,) = hung.document.results
    assert result.failure is not None and "no answer to 'play'" in result.failure
    assert result.blocks, "what it gave before is kept"


def test_a_device_that_vanishes(bundle: Path, sshd: Sshd, phone: Adbd, hasty: None) -> None:
    device = device_of(phone)
    first, gone, last = bench(bundle, [sshd.device(), device, Local()], device.name, phone.close)
    check_whole([first, last])
    assert gone.document is not None
    (result,) = gone.document.results
    assert result.failure is not None and result.blocks and result.resumed == 1


def test_a_crash_in_the_middle(bundle: Path, sshd: Sshd, phone: Adbd) -> None:
    def crash() -> None:
        for pid in workers(os.getpid()):
            os.kill(pid, signal.SIGSEGV)

    crashed, *others = bench(bundle, [Local(), sshd.device(), device_of(phone)], "local", crash)
    check_whole(others)
    assert crashed.document is not None
    (result,) = crashed.document.results
    assert result.failure is not None and "SIGSEGV" in result.failure and result.blocks


class Broken(Local):
    """A device whose code fails in a way that nobody foresaw."""

    name = "broken"

    def host(self) -> None:  # type: ignore[override]
        raise OSError(5, "Input/output error")


def test_devices_that_cannot_be_reached(bundle: Path, sshd: Sshd, server: None) -> None:
    away, broken, last = bench(bundle, [open_adb("adb:nothing"), Broken(), sshd.device()], "", lambda: None)
    check_whole([last])
    assert away.document is None and "is not connected" in str(away.error)
    assert broken.document is None and isinstance(broken.error, WorkerError) and "Input/output" in str(broken.error)
