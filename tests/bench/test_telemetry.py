from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench import environment, telemetry
from pocketlens.bench.channel import WorkerError
from pocketlens.bench.devices.benchmark_model import parse
from pocketlens.bench.document import Snapshot

SAMPLES = Path(__file__).parent / "devices/samples"


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text()


def test_battery() -> None:
    found = telemetry.battery(sample("dumpsys-battery"))
    assert found == telemetry.Battery(84.0, True, True, 32.6, False)


def test_a_battery_in_a_hand() -> None:
    found = telemetry.battery(sample("dumpsys-battery-unplugged"))
    assert found == telemetry.Battery(12.0, False, False, 29.8, False)


def test_a_battery_that_cannot_be_true() -> None:
    found = telemetry.battery(sample("dumpsys-battery-faked"))
    assert found == telemetry.Battery(100.0, True, False, None, True)


def test_thermal_service_uses_the_current_section_and_drops_absent_sensors() -> None:
    found = telemetry.thermal(sample("dumpsys-thermalservice"))
    assert found == telemetry.Thermal(0, {"CPU0": 41.6, "skin": 32.5})


def test_a_hot_phone() -> None:
    found = telemetry.thermal(sample("dumpsys-thermalservice-hot"))
    assert found is not None and found.status is not None and found.status >= telemetry.HOT
    sensors = {"BIG": 95.5, "MID": 88.2, "LITTLE": 84.0, "G3D": 83.1, "VIRTUAL-SKIN": 44.6, "TPU": 78.4}
    assert found.temperatures == sensors, "neither the battery's nor one that is not there, nor a threshold"


def test_frames_of_an_app() -> None:
    found = telemetry.jank(sample("dumpsys-gfxinfo"))
    assert found == {"frames": 105, "janky": 2, "p50_ms": 5, "p90_ms": 7, "p95_ms": 9, "p99_ms": 19}


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
    found = telemetry.pi_throttling("throttled=0xe0008\n")
    assert found is not None and found.now == ("soft temperature limit",)
    assert found.since_boot == ("frequency capped", "throttled", "soft temperature limit")


def test_benchmark_model() -> None:
    told = parse(sample("benchmark_model"))
    assert (told.count, told.init_ms, told.first_ms, told.memory_mb, told.applied) == (3, 12.345, 31.02, 48.5469, True)
    assert told.samples == (21.32, 22.3999, 21.105)  # the middle one was 22.4; the mean has six digits


def test_benchmark_model_as_it_was_recorded() -> None:
    told = parse(sample("benchmark_model-2.14"))
    assert (told.count, told.init_ms, told.first_ms, told.memory_mb, told.applied) == (3, 0.963, 61.753, 49.3906, None)
    assert told.samples == (40.721, 39.42, 34.669) and told.unknown == ("--use_xnnpack=true",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ERROR: Failed to load model x.tflite", "Failed to load model"),
        ("sh: benchmark_model: Permission denied", "denied"),
        ("", "it printed nothing"),
        ("INFO: STARTING!\nINFO: count=3 curr=5", "count=3"),
    ],
)
def test_a_tool_that_failed(text: str, said: str) -> None:
    with pytest.raises(WorkerError, match=said):
        parse(text)
