"""Devices that answer wrongly or without end: each fails alone, and takes neither memory nor the others' figures."""

import json
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.channel import Channel
from pocketlens.bench.devices import benchmark_model
from pocketlens.bench.devices.local import LocalWorker
from pocketlens.bench.devices.probe import parse
from pocketlens.bench.devices.remote import RemoteWorker
from pocketlens.bench.errors import AnswerError, WorkerError
from pocketlens.bench.measure import measure
from pocketlens.errors import PocketlensError
from pocketlens.runtimes.adapter import Options
from tests.bench.cases import QUICK
from tests.bench.devices import hostile
from tests.bench.devices.adbd import Adbd
from tests.bench.devices.phones import device_of
from tests.bench.devices.sshd import Sshd, children
from tests.conftest import ROOT

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


def answer_with(phone: Adbd, name: str, script: str) -> None:
    """Put a program onto the phone in place of its own."""
    path = phone.bin / name
    path.unlink()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("program", "script"),
    [
        ("getprop", f"exec {sys.executable} -c \"print('m' * 5000)\""),
        ("dumpsys", "cat /dev/zero"),
        ("python3", f"exec {sys.executable} {SCRIPT} 'times negative' \"$@\""),
        ("python3", f"exec {sys.executable} {SCRIPT} 'probe glibc huge' \"$@\""),
        ("python3", f"exec {sys.executable} {SCRIPT} 'a line without end' \"$@\""),
    ],
)
def test_over_adb(phone: Adbd, lite: BenchmarkCase, program: str, script: str) -> None:
    answer_with(phone, program, script)
    device = device_of(phone)
    with pytest.raises(AnswerError):
        device.missing("litert")
        measure([replace(lite, expected=lite.picture)], QUICK, device=device)
    device.close()


@pytest.mark.parametrize("text", ["1.2.3", "²", "9" * 400, "-", "1e5"])
def test_odd_numbers_of_a_phone_are_left_out(phone: Adbd, text: str) -> None:
    answer_with(phone, "dumpsys", f"echo 'level: {text}'; echo 'temperature: {text}'; echo 'Thermal Status: {text}'")
    state = device_of(phone).snapshot()
    assert state.battery_percent is None


@pytest.mark.parametrize("figure", ["1e999", "1.2.3", "9" * 400])
def test_odd_figures_of_the_tool(figure: str) -> None:
    timings = f"Init: 5, First inference: {figure}, Warmup (avg): 2, Inference (avg): 2"
    text = f"count=3 first=20 curr=20 min=20 max=20 avg={figure} std=1\nInference timings in us: {timings}\n"
    with pytest.raises(AnswerError, match="for a figure"):
        benchmark_model.parse(text)


KILLED = """
import sys
from pathlib import Path
from pocketlens.bench.devices.ssh import open_ssh
device = open_ssh(f"ssh://loopback?python={sys.executable}", Path(sys.argv[1]))
device.missing("litert")
print("reached", flush=True)
sys.stdin.read()
"""


def test_no_connection_outlives_a_killed_bench(sshd: Sshd) -> None:
    line = [sys.executable, "-c", KILLED, str(sshd.config)]
    bench = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert bench.stdout is not None and bench.stdout.readline() == b"reached\n"
    started = [pid for pid in children(bench.pid) if b"ControlMaster=yes" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert started
    bench.kill()
    bench.wait()
    end_s = time.monotonic() + 20
    while (left := [pid for pid in started if Path(f"/proc/{pid}").exists()]) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not left
