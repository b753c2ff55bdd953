from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench import environment, telemetry
from pocketlens.bench.document import Snapshot
from tests.bench.devices.recorded import SAMPLES, sample


def test_battery() -> None:
    battery = telemetry.battery(sample("dumpsys-battery"))
    assert battery == telemetry.Battery(84.0, True, True, 32.6, False)


def test_a_battery_in_a_hand() -> None:
    battery = telemetry.battery(sample("dumpsys-battery-unplugged"))
    assert battery == telemetry.Battery(12.0, False, False, 29.8, False)


def test_a_battery_that_cannot_be_true() -> None:
    battery = telemetry.battery(sample("dumpsys-battery-faked"))
    assert battery == telemetry.Battery(100.0, True, False, None, True)


def test_thermal_service_uses_the_current_section_and_drops_absent_sensors() -> None:
    thermal = telemetry.thermal(sample("dumpsys-thermalservice"))
    assert thermal == telemetry.Thermal(0, {"CPU0": 41.6, "skin": 32.5})


def test_a_hot_phone() -> None:
    thermal = telemetry.thermal(sample("dumpsys-thermalservice-hot"))
    assert thermal is not None and thermal.status is not None and thermal.status >= telemetry.HOT
    sensors = {"BIG": 95.5, "MID": 88.2, "LITTLE": 84.0, "G3D": 83.1, "VIRTUAL-SKIN": 44.6, "TPU": 78.4}
    assert thermal.temperatures == sensors, "neither the battery's nor one that is not there, nor a threshold"


def test_frames_of_an_app() -> None:
    assert telemetry.jank(sample("dumpsys-gfxinfo")) == {
        "frames": 105,
        "janky": 2,
        "p50_ms": 5,
        "p90_ms": 7,
        "p95_ms": 9,
        "p99_ms": 19,
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pi5", Snapshot(None, None, "ondemand", 1500.0, 55.6, "", "")),
        (
            "pi4",
            Snapshot(
                None, None, "ondemand", 1000.0, 81.3, "frequency capped, throttled",
                "frequency capped, throttled, soft temperature limit",
            ),
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("readable", ["everything", "firmware alone"])
def test_a_raspberry_pi(
    name: str, expected: Snapshot, readable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = SAMPLES / name
    command = tmp_path / "vcgencmd"
    command.write_text(f'#!/bin/sh\ncat "{root}/vcgencmd/$1"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    if readable == "firmware alone":  # a container without /sys: the same figures, but for the governor
        root, expected = tmp_path, replace(expected, governor=None)
    assert replace(environment.snapshot(root), load=None, busy=None) == expected
    assert environment.emulation(root) == ""


@pytest.mark.parametrize("text", ["", "Can't find service: thermalservice", "\0\xff" * 50])
def test_nothing_is_made_of_nothing(text: str) -> None:
    assert telemetry.thermal(text) is None and telemetry.battery(text) is None
    assert telemetry.pi_throttling(text) is None and telemetry.screen_on(text) is None
    assert telemetry.zones([text]) is None and telemetry.pi_temperature(text) is None


def test_throttling_bits() -> None:
    assert telemetry.pi_throttling("throttled=0x0") == telemetry.Throttling((), ())
    throttling = telemetry.pi_throttling("throttled=0xe0008\n")
    assert throttling is not None and throttling.now == ("soft temperature limit",)
    assert throttling.since_boot == ("frequency capped", "throttled", "soft temperature limit")
