from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench import environment
from pocketlens.bench.budget import Budget, judge_all, last_minute
from pocketlens.bench.document import BenchmarkSettings, Document, Snapshot, TimedSnapshot
from pocketlens.bench.result import Block
from tests.bench.samples import document, result


def heating(slow_from: float) -> Document:
    """Five minutes of a device that is at 20 ms until it throttles, and at 40 ms from then on."""
    blocks = tuple(Block(float(t), *((40.0 if t > slow_from else 20.0,) * 10,) * 2) for t in range(5, 301, 5))
    return replace(document(result(blocks)), settings=BenchmarkSettings(sustained=True))


@pytest.mark.parametrize(("slow_from", "verdict"), [(200, "fail"), (400, "pass"), (270, "unstable")])
def test_the_last_minute_is_judged(slow_from: float, verdict: str) -> None:
    found = heating(slow_from)
    (judged,) = judge_all(found, Budget.of(fps=30))
    assert judged.verdict == verdict
    assert len(last_minute(found.results[0]).blocks) == 12
    assert Document.from_json(found.to_json()) == found


def test_what_slowed_the_device_down_is_said() -> None:
    one = document(result())
    clear = replace(one.environment, before=Snapshot(throttled="", throttled_since_boot="under-voltage"))
    after = Snapshot(throttled="", throttled_since_boot="under-voltage, throttled")
    assert replace(clear, after=after).throttled == "throttled", "sticky bits count only if they were clear before"
    during = (TimedSnapshot(5.0, Snapshot(throttled="thermal state severe")),)
    assert replace(clear, during=during).throttled == "thermal state severe"
    assert clear.throttled == ""


@pytest.mark.parametrize(
    ("machine", "files", "said"),
    [
        ("aarch64", {"proc/sys/kernel/arch": "x86_64"}, "on a kernel for x86_64"),
        ("aarch64", {"proc/cpuinfo": "vendor_id\t: AuthenticAMD"}, "AuthenticAMD"),
        ("aarch64", {"proc/device-tree/model": "linux,dummy-virt\0"}, "dummy-virt"),
        ("x86_64", {"proc/cpuinfo": "model name : QEMU TCG CPU version 2.5+"}, "TCG"),
        ("aarch64", {"proc/sys/kernel/arch": "aarch64", "proc/device-tree/model": "Raspberry Pi 5 Model B"}, ""),
        ("armv7l", {"proc/sys/kernel/arch": "aarch64"}, ""),
        ("x86_64", {"proc/sys/kernel/arch": "x86_64", "proc/cpuinfo": "vendor_id : GenuineIntel"}, ""),
    ],
)
def test_emulators_are_recognised(
    machine: str, files: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = environment.emulation(tmp_path)
    assert said in found if said else found == ""


def test_a_raspberry_pi_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "vcgencmd"
    answers = "measure_temp) echo \"temp=61.2'C\";; measure_clock) echo 'frequency(48)=1500345728';; *) echo throttled=0x50004"
    command.write_text(f"#!/bin/sh\ncase $1 in {answers};; esac\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = environment.snapshot(tmp_path)
    assert (found.temperature_c, found.frequency_mhz, found.throttled) == (61.2, 1500.0, "throttled")
    assert found.throttled_since_boot == "under-voltage, throttled"
