"""Devices that answer wrongly or without end: each fails alone, and takes neither memory nor the others' figures."""

import json
import resource
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.channel import Channel
from pocketlens.bench.devices.local import LocalWorker
from pocketlens.bench.devices.probe import parse
from pocketlens.bench.devices.remote import RemoteWorker
from pocketlens.bench.errors import AnswerError, WorkerError
from pocketlens.bench.measure import measure
from pocketlens.errors import PocketlensError
from pocketlens.runtimes.adapter import Options
from tests.bench.cases import QUICK
from tests.bench.devices import hostile
from tests.bench.devices.sshd import Sshd

Make = Callable[..., BenchmarkCase]
SCRIPT = Path(hostile.__file__)


class HostileWorker(LocalWorker):
    """The worker of a device on this machine, started as it would be there."""

    def __init__(self, way: str) -> None:
        self.channel = Channel([sys.executable, str(SCRIPT), way, "-m", "worker"], greeting="pocketlens-worker 2")

    host, snapshot, _ask = RemoteWorker.host, RemoteWorker.snapshot, lambda self, *of: self.channel.ask(*of)  # type: ignore[assignment]


def play(way: str, case: BenchmarkCase) -> None:
    """All that is asked of a worker, once."""
    worker = HostileWorker(way)
    try:
        worker.host(20)
        worker.snapshot(20)
        worker.load(case.path, case.runtime, Options(), 20)
        worker.first(case.picture, case.picture, 20)
        worker.play(0.01, 3, 20)
        worker.peak_mb(20)
    finally:
        worker.close()


def test_the_right_answers_are_taken(make_case: Make) -> None:
    play("none", make_case())


@pytest.mark.parametrize("way", hostile.ANSWERS)
def test_a_wrong_answer(make_case: Make, way: str) -> None:
    with pytest.raises(AnswerError) as error:
        play(way, make_case())
    assert error.value.exit_code == 3 and len(error.value.what) < 300


@pytest.mark.parametrize("way", hostile.PROBES)
def test_a_wrong_probe(way: str) -> None:
    printed = hostile.PROBES[way]
    with pytest.raises(AnswerError, match="probe"):
        parse("pocketlens-probe " + (printed if isinstance(printed, str) else json.dumps(printed)))


@pytest.mark.parametrize("way", [way for way in hostile.FLOODS if not way.startswith("probe")])
def test_a_flood_takes_no_memory(make_case: Make, way: str) -> None:
    case, before = make_case(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if way == "standard error":
        play(way, case)  # only its end is kept
    else:
        with pytest.raises(AnswerError, match=r"bytes|more than once"):
            play(way, case)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "in kB"


def test_silence_ends(make_case: Make) -> None:
    worker = HostileWorker("silent")
    try:
        with pytest.raises(WorkerError, match=r"no answer to 'host' within 0\.5 s"):
            worker.host(0.5)
    finally:
        worker.close()


@pytest.mark.parametrize("way", ["probe flood", "probe glibc huge", "cores", "lines", "times negative", "other shape"])
def test_over_ssh(sshd: Sshd, make_case: Make, way: str) -> None:
    device = sshd.device(python=shlex.join([sys.executable, str(SCRIPT), way]))
    case = make_case()
    with pytest.raises(PocketlensError) as error:
        device.missing("onnxruntime")
        measure([replace(case, expected=case.picture)], QUICK, device=device)
    assert isinstance(error.value, AnswerError), error.value
    device.close()
