import os
from pathlib import Path

import pytest

from pocketlens.bench import environment
from pocketlens.bench.document import Snapshot
from tests.bench.samples import document


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_this_machine() -> None:
    host = environment.host()
    assert 1 <= host.cores <= (os.cpu_count() or 1)
    assert host.cpu and host.kernel and host.machine and host.python.startswith("3.")
    assert set(host.packages) >= {"numpy", "pillow"}
    now = environment.snapshot()
    assert now.busy is None or 0 <= now.busy <= 1


def test_a_raspberry_pi(tmp_path: Path) -> None:
    cpus = "sys/devices/system/cpu"
    root = machine(
        tmp_path,
        {
            f"{cpus}/cpu0/cpufreq/scaling_governor": "ondemand\n",
            f"{cpus}/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
            f"{cpus}/cpu1/cpufreq/scaling_cur_freq": "2400000\n",
            "sys/class/thermal/thermal_zone0/temp": "48312\n",
            "sys/class/thermal/thermal_zone1/temp": "61.5 nonsense\n",
            "proc/stat": "cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 1 2 3\n",
        },
    )
    now = environment.snapshot(root)
    assert (now.governor, now.frequency_mhz, now.temperature_c) == ("ondemand", 2400, 48.3)
    assert now.busy is None  # the recorded counters stand still


@pytest.mark.parametrize(
    ("text", "degrees"), [("-40000", None), ("0", None), ("200000", None), ("35", 35.0), ("", None), ("47999", 48.0)]
)
def test_implausible_temperatures_are_left_out(tmp_path: Path, text: str, degrees: float | None) -> None:
    root = machine(tmp_path, {"sys/class/thermal/thermal_zone0/temp": text})
    assert environment.snapshot(root).temperature_c == degrees


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    now = environment.snapshot(tmp_path)
    assert now == Snapshot(load=now.load)


def test_garbage_in_proc_is_no_reason_to_stop(tmp_path: Path) -> None:
    root = machine(tmp_path, {"proc/stat": "cpu a b c d e f g\n", "proc/cpuinfo": "cpu MHz\t: fast\n\0"})
    now = environment.snapshot(root)
    assert now.busy is None and now.frequency_mhz is None


def test_a_busy_machine_is_called_busy() -> None:
    assert "90%" in document(busy=0.9).environment.disturbed
    assert document(busy=0.1).environment.disturbed == ""


@pytest.mark.parametrize(
    ("machine", "files", "message"),
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
    machine: str, files: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    reason = environment.emulation(tmp_path)
    assert message in reason if message else reason == ""


def test_a_raspberry_pi_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "vcgencmd"
    answers = (
        "measure_temp) echo \"temp=61.2'C\";; measure_clock) echo 'frequency(48)=1500345728';; "
        "*) echo throttled=0x50004"
    )
    command.write_text(f"#!/bin/sh\ncase $1 in {answers};; esac\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    snapshot = environment.snapshot(tmp_path)
    assert (snapshot.temperature_c, snapshot.frequency_mhz, snapshot.throttled) == (61.2, 1500.0, "throttled")
    assert snapshot.throttled_since_boot == "under-voltage, throttled"
