import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench import statistics
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.android import open_adb
from pocketlens.bench.measure import BenchmarkProgress, measure
from pocketlens.bench.multi_device import DeviceOutcome
from pocketlens.errors import InputError, MissingError
from tests.bench.cases import QUICK
from tests.bench.devices.adbd import Adbd
from tests.bench.devices.phones import device_of

SETTINGS = replace(QUICK, count=6, answer_seconds=60)


def test_the_tool_there(phone: Adbd, lite: BenchmarkCase, tool: Path, tmp_path: Path) -> None:
    document = measure([lite], SETTINGS, device=device_of(phone, tool))
    (result,) = document.results
    assert result.failure is None and result.effective.delegate == "xnnpack, benchmark_model"
    assert result.check is not None and result.check.psnr >= 50
    assert len(statistics.frames(result.blocks)) >= 6 and result.memory is not None and result.memory.peak_mb == 20.5
    here = document.environment
    assert here.host.cpu.startswith("Acme Stand In") and here.host.os == "Android 14" and not here.emulated
    assert (here.before.battery_percent, here.before.plugged, here.before.screen_on) == (84, True, True)
    assert here.before.temperature_c == 41.6 and here.before.throttled == ""
    assert not list((tmp_path / "there").glob("run-*"))


def test_a_tool_without_the_delegate(phone: Adbd, lite: BenchmarkCase, tool: Path, tmp_path: Path) -> None:
    plain = tmp_path / "benchmark_model"
    plain.write_text(tool.read_text().replace("INFO: STARTING!", "WARN: Unconsumed cmdline flags: --use_xnnpack=true"))
    usual, requested = measure(
        [lite, replace(lite, accelerator="xnnpack")], SETTINGS, device=device_of(phone, plain)
    ).results
    assert usual.failure is None and usual.blocks and usual.effective.delegate == "none, benchmark_model"
    assert requested.skipped is not None and "has no xnnpack" in requested.skipped and not requested.blocks


def test_python_there(phone: Adbd, lite: BenchmarkCase) -> None:
    (result,) = measure([lite], SETTINGS, device=device_of(phone)).results
    assert result.failure is None and result.check is not None and result.blocks
    assert result.runtime.version and result.effective.delegate is None


def test_a_wrong_picture_fails_before_it_is_timed(phone: Adbd, lite: BenchmarkCase, tool: Path) -> None:
    assert lite.expected is not None
    (result,) = measure([replace(lite, expected=255 - lite.expected)], SETTINGS, device=device_of(phone, tool)).results
    assert result.failure is not None and "the picture is wrong" in result.failure and not result.blocks


@pytest.mark.parametrize("with_tool", [True, False])
def test_unplugged_in_the_middle(
    phone: Adbd, lite: BenchmarkCase, tool: Path, with_tool: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocketlens.bench.devices.adb._RECONNECT_SECONDS", 0.1)
    monkeypatch.setattr("pocketlens.bench.case._RECONNECT_SECONDS", 0.01)

    def listen(progress: BenchmarkProgress) -> None:
        if progress.stage == "measure" and progress.share > 0.3:
            phone.close()

    settings = replace(SETTINGS, count=30, resumes=1)
    (result,) = measure([lite], settings, listen, device_of(phone, tool if with_tool else None)).results
    assert result.failure is not None and ("not connected" in result.failure or "offline" in result.failure)
    assert result.blocks and result.resumed == 1


def test_plugged_in_again(phone: Adbd, lite: BenchmarkCase, tool: Path) -> None:
    cut = False

    def listen(progress: BenchmarkProgress) -> None:
        nonlocal cut
        if progress.stage == "measure" and progress.share > 0.3 and not cut:
            cut = True
            phone.unplug()

    (result,) = measure([lite], replace(SETTINGS, count=9), listen, device_of(phone, tool)).results
    assert cut and result.failure is None
    assert len(statistics.frames(result.blocks)) >= 9


def test_a_full_storage(phone: Adbd, lite: BenchmarkCase, tool: Path) -> None:
    phone.full = True
    (result,) = measure([lite], SETTINGS, device=device_of(phone)).results
    assert result.failure is not None and "its storage is full" in result.failure


def test_not_allowed_yet(server: None, tmp_path: Path) -> None:
    device = Adbd(tmp_path)
    device.unauthorized = True
    subprocess.run(["adb", "connect", device.serial], capture_output=True, check=False, timeout=30)
    with pytest.raises(MissingError) as error:
        device_of(device).missing("litert")
    assert "answer the question" in error.value.do
    device.close()


def test_not_connected(server: None) -> None:
    with pytest.raises(MissingError, match="is not connected"):
        open_adb("adb:nothing").missing("litert")


def test_offline(phone: Adbd, monkeypatch: pytest.MonkeyPatch) -> None:
    offline = "List of devices attached\nserial1   offline usb:1\n"
    monkeypatch.setattr(
        "pocketlens.bench.devices.adb.devices",
        lambda: __import__("pocketlens.bench.devices.adb", fromlist=["x"]).parse_devices(offline),
    )
    with pytest.raises(MissingError, match="is offline") as error:
        open_adb("adb:serial1").missing("litert")
    assert "adb reconnect" in error.value.do


def test_adb_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingError, match="adb is not installed") as error:
        open_adb("adb:x").missing("litert")
    assert "apt-get install adb" in error.value.do


@pytest.mark.parametrize(
    ("battery", "thermal", "message"),
    [("USB powered: false\n  level: 9\n  scale: 100", "0", "9 % of its battery"), ("level: 90", "3", "hot: .*severe")],
)
def test_a_device_that_is_not_fit(phone: Adbd, lite: BenchmarkCase, battery: str, thermal: str, message: str) -> None:
    (phone.bin / "dumpsys").write_text(
        f"#!/bin/sh\ncase $1 in battery) printf '  {battery}\n';; *) echo 'Thermal Status: {thermal}';; esac\n"
    )
    with pytest.raises(MissingError, match=message):
        measure([lite], SETTINGS, device=device_of(phone))


@pytest.mark.parametrize("wrong", ["adb:-s", "adb:a b", "adb:$(x)"])
def test_serials_that_are_none(wrong: str) -> None:
    with pytest.raises(InputError, match="serial"):
        open_adb(wrong)


def test_an_outcome_without_document_fails() -> None:
    from pocketlens.bench.budget import PerformanceBudget

    assert DeviceOutcome("adb:x", None, MissingError("gone")).verdict(PerformanceBudget()) == "fail"
