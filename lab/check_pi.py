"""Measure a small bundle in the arm64 lab, over ssh, as a user would: ``make lab-pi``.

With the connection cut in the middle; without any network inside, so that the libraries must come from here; and with a
host key that is not known.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.ssh import open_ssh
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import BenchmarkProgress, measure
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.errors import MissingError
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, small_graph

QUICK = BenchmarkSettings(seconds=0.5, count=6, block_seconds=0.1, warm_seconds=2, answer_seconds=120)


def main() -> None:
    config = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        cases = make_cases(Path(folder))
        step("a host key that is not known", lambda: unknown(config, Path(folder)))
        step("a connection that is cut in the middle", lambda: cut(config, cases))
        step("a Pi without network", lambda: offline(config, cases))


def step(name: str, do: Callable[[], None]) -> None:
    began = time.monotonic()
    print(f"== {name}", flush=True)
    do()
    print(f"   {time.monotonic() - began:.0f} s", flush=True)


def make_cases(folder: Path) -> list[BenchmarkCase]:
    cases = []
    image = picture(64, 64)
    for target, suffix, runtime in (("onnx", ".onnx", "onnxruntime"), ("tflite", ".tflite", "litert")):
        path = folder / f"small{suffix}"
        emitter(target).emit(small_graph(64, 64), "fp32", Labels("small"), path)
        with open_artifact(path, runtime, 1) as session:
            expected = session(image)
        cases.append(BenchmarkCase(f"{target}-fp32-64x64", path, target, "fp32", runtime, image, expected, 50.0, 1))
    return cases


def unknown(config: Path, folder: Path) -> None:
    other = folder / "config"
    other.write_text(config.read_text().replace(str(config.parent / "known_hosts"), str(folder / "none")))
    try:
        print(open_ssh("ssh://lab-pi", other).missing("litert"))
    except MissingError as error:
        print(f"   refused: {error}")
        assert "host key is not known" in error.do and not (folder / "none").exists()
    else:
        raise AssertionError("an unknown host key was accepted")


def cut(config: Path, cases: list[BenchmarkCase]) -> None:
    server, was_cut = int((config.parent / "sshd.pid").read_text()), False

    def listen(progress: BenchmarkProgress) -> None:
        nonlocal was_cut
        if progress.stage == "measure" and progress.share > 0.2 and not was_cut:
            was_cut = True
            for pid in children(server):
                os.kill(pid, signal.SIGKILL)

    document = measure(cases, QUICK, listen, open_ssh("ssh://lab-pi", config))
    show(document)
    assert was_cut and [result.resumed for result in document.results] == [1, 1]
    check(document, config, "lab-pi")


def offline(config: Path, cases: list[BenchmarkCase]) -> None:
    assert (
        remote_output(config, "lab-pi-offline", "rm -rf ~/.cache/pocketlens-bench; cat /proc/net/dev").count(":") == 1
    )
    document = measure(cases, QUICK, None, open_ssh("ssh://lab-pi-offline", config))
    show(document)
    check(document, config, "lab-pi-offline")
    names = remote_output(config, "lab-pi-offline", "ls ~/.cache/pocketlens-bench").split()
    assert sorted(name.partition("-")[0] for name in names) == ["runner", "site"], names


def show(document: Document) -> None:
    environment = document.environment
    tag = "emulated" if environment.emulated else "real"
    host = environment.host
    print(f"   {environment.device}: {host.machine}, {host.os}, {tag}, {host.packages}")
    for result in document.results:
        frames = sum(len(block.frame_ms) for block in result.blocks)
        psnr = f"{result.check.psnr:.1f} dB" if result.check else "no picture"
        outcome = result.failure or result.skipped or f"{frames} frames"
        print(f"   {result.label}: {outcome}, {psnr}, resumed {result.resumed}")


def check(document: Document, config: Path, host: str) -> None:
    assert document.environment.emulated and document.environment.host.machine == "aarch64"
    for result in document.results:
        assert result.failure is None and result.skipped is None and result.blocks
    names = remote_output(config, host, "ls ~/.cache/pocketlens-bench").split()
    assert not [name for name in names if name.startswith("run-")], names


def remote_output(config: Path, host: str, line: str) -> str:
    return subprocess.run(["ssh", "-F", str(config), host, line], capture_output=True, text=True, check=True).stdout


def children(parent: int) -> list[int]:
    pids = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return pids + [inner for pid in pids for inner in children(pid)]


if __name__ == "__main__":
    main()
