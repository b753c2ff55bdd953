"""An Android device inside the test, the tool for it, and an artifact to play there."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.adb import Adb
from pocketlens.bench.devices.android import Android, open_adb
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.runtimes.session import open_artifact
from tests.bench.devices.adbd import Adbd
from tests.generators import picture, small_graph

HERE = Path(__file__).parent
TOOL = HERE.parents[2] / "lab" / "benchmark_model"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """adb's own server, on a port and with keys of its own."""
    if shutil.which("adb") is None:
        pytest.skip("no adb: apt-get install adb")
    home = tmp_path_factory.mktemp("adb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("ADB_SERVER_SOCKET", f"tcp:localhost:{_free_port()}")
        subprocess.run(["adb", "start-server"], capture_output=True, check=True)
        yield
        subprocess.run(["adb", "kill-server"], capture_output=True, check=False)


def _free_port() -> int:
    """A port below those that connections get by themselves (32768 and up), another one in each of pytest's workers."""
    for port in range(20000 + os.getpid() % 10000, 32000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("localhost", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture
def phone(server: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adbd]:
    commands = tmp_path / "bin"
    commands.mkdir()
    samples = HERE / "samples"
    scripts = {
        "getprop": 'case $1 in *model) echo "Stand In";; *manufacturer) echo Acme;; *release) echo 14;; '
        "*abi) uname -m;; esac",
        "dumpsys": f"case $1 in power) echo '  mWakefulness=Awake';; *) cat {samples}/dumpsys-$1.txt;; esac",
    }
    for name, script in scripts.items():
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)
    (commands / "python3").symlink_to(sys.executable)
    device = Adbd(commands)
    subprocess.run(["adb", "connect", device.serial], capture_output=True, check=True)
    monkeypatch.setattr("pocketlens.bench.devices.benchmark_model._WARM_SECONDS", 0.05)
    monkeypatch.setattr(Adb, "cache", str(tmp_path / "there"))
    monkeypatch.setattr("pocketlens.bench.devices.android._TOOL_PATHS", ("/nowhere", str(tmp_path / "there/tool")))
    yield device
    subprocess.run(["adb", "disconnect", device.serial], capture_output=True, check=False)
    device.close()


@pytest.fixture(scope="session")
def lite(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkCase:
    path = tmp_path_factory.mktemp("lite") / "small.tflite"
    emitter("tflite").emit(small_graph(64, 64), "fp32", Labels("small"), path)
    image = picture(64, 64)
    with open_artifact(path, "litert", 1) as session:
        expected = session(image)
    return BenchmarkCase("tflite-fp32-64x64", path, "tflite", "fp32", "litert", image, expected, 50.0, 1)


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in of benchmark_model, with this environment's Python."""
    path = tmp_path_factory.mktemp("tool") / "benchmark_model"
    path.write_text(TOOL.read_text().replace("/usr/bin/env python3", sys.executable, 1))
    return path


def device_of(phone: Adbd, tool: Path | None = None) -> Android:
    return open_adb(f"adb:{phone.serial}", tool)
