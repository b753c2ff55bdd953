"""Measure a small artifact through Android's own adbd with the real adb client: ``make lab-android``.

adbd runs natively on this machine and knows no ``getprop`` and no ``dumpsys``. Two tools are played: the stand-in of
this folder around ai-edge-litert, and Google's own benchmark_model, which ``lab/tool.sh`` builds.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices import android
from pocketlens.bench.devices.adb import Adb, devices
from pocketlens.bench.devices.android import open_adb
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.measure import measure
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, small_graph

PORT, SERVER = 15555, 15137
QUICK = BenchmarkSettings(seconds=0.2, count=9, block_seconds=0.05, warm_seconds=0.5)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pl-") as folder:
        home = Path(folder)
        os.environ |= {"HOME": folder, "ADB_SERVER_SOCKET": f"tcp:localhost:{SERVER}"}
        Adb.cache = f"{home}/there"
        android._TOOL_PATHS = ("/nowhere", f"{home}/there/tool")
        daemon = subprocess.Popen(
            [sys.argv[1]], env={**os.environ, "ADBD_PORT": str(PORT)}, stderr=(home / "log").open("w"), cwd="/"
        )
        try:
            for _ in range(50):
                time.sleep(0.2)
                connection = subprocess.run(
                    ["adb", "connect", f"localhost:{PORT}"], capture_output=True, text=True, check=True
                )
                if "connected to" in connection.stdout:
                    break
            print(connection.stdout.strip(), devices())
            _exercise(home)
        finally:
            subprocess.run(["adb", "kill-server"], capture_output=True, check=False)
            daemon.terminate()
            daemon.wait()


def _exercise(home: Path) -> None:
    adb = Adb(f"localhost:{PORT}")
    adb.find()
    assert adb.run("cat; exit 0", 10, b"through\n") == "through\n"
    data = os.urandom(300_000)
    (home / "data").write_bytes(data)
    adb.run(f"mkdir -p {adb.cache}", 10)
    adb.put(home / "data", f"{adb.cache}/data")
    adb.get(f"{adb.cache}/data", home / "back")
    assert (home / "back").read_bytes() == data
    stand_in = home / "benchmark_model"
    text = (Path(__file__).parent / "benchmark_model").read_text()
    stand_in.write_text(text.replace("/usr/bin/env python3", sys.executable, 1))
    path = home / "small.tflite"
    emitter("tflite").emit(small_graph(64, 64), "fp32", Labels("small"), path)
    image = picture(64, 64)
    with open_artifact(path, "litert", 1) as session:
        expected = session(image)
    case = BenchmarkCase("tflite-fp32-64x64", path, "tflite", "fp32", "litert", image, expected, 50.0, 1)
    for name, tool, delegate in (("stand-in", stand_in, "xnnpack"), ("benchmark_model", Path(sys.argv[2]), "none")):
        ways = [replace(case, threads=threads) for threads in (1, 2)]
        wrong = replace(case, artifact="wrong", expected=255 - expected)
        began = time.monotonic()
        *right, bad = measure([*ways, wrong], QUICK, None, open_adb(f"adb:localhost:{PORT}", tool)).results
        print(f"== {name}: {time.monotonic() - began:.0f} s")
        for result in right:
            frames = sum(len(part.frame_ms) for part in result.blocks)
            outcome = result.failure or f"{frames} frames"
            print(f"   {result.label}: {outcome}, {result.check}, {result.effective.delegate}, {result.memory}")
            assert result.failure is None and result.blocks and result.check is not None and result.check.holds
            assert result.effective.delegate == f"{delegate}, benchmark_model"
        print(f"   {bad.label}: {bad.failure}")
        assert bad.failure is not None and "the picture is wrong" in bad.failure and not bad.blocks


if __name__ == "__main__":
    main()
