from pathlib import Path

import pytest

from pocketlens.bench import telemetry
from pocketlens.bench.channel import WorkerError
from pocketlens.bench.devices.tool import parse

SAMPLES = Path(__file__).parent / "devices/samples"


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.txt").read_text()


def test_battery() -> None:
    found = telemetry.battery(sample("dumpsys-battery"))
    assert found == telemetry.Battery(84.0, True, True, 32.6, False)


def test_a_battery_that_cannot_be_true() -> None:
    text = "(UPDATES STOPPED -- use 'reset' to restart)\nlevel: 50\nscale: 100\nvoltage: 13\ntemperature: 26\nstatus: 5"
    found = telemetry.battery(text)
    assert found is not None and found.temperature_c is None and found.faked and not found.charging


def test_thermal_service_uses_the_current_section_and_drops_absent_sensors() -> None:
    found = telemetry.thermal(sample("dumpsys-thermalservice"))
    assert found == telemetry.Thermal(0, {"CPU0": 41.6, "skin": 32.5})


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ERROR: Failed to load model x.tflite", "Failed to load model"),
        ("sh: benchmark_model: Permission denied", "denied"),
        ("", "it said nothing"),
        ("INFO: STARTING!\nINFO: count=3 curr=5", "count=3"),
    ],
)
def test_a_tool_that_failed(text: str, said: str) -> None:
    with pytest.raises(WorkerError, match=said):
        parse(text)
