"""The local device: each benchmark case in a Python process of its own."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pocketlens.bench import environment
from pocketlens.bench.channel import Channel
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult
from pocketlens.bench.devices.worker_protocol import (
    load_command,
    parse_block,
    parse_first_frame,
    parse_load,
    parse_peak_mb,
    play_command,
)
from pocketlens.bench.document import Host, Snapshot
from pocketlens.bench.limits import picture_bytes
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import RUNTIMES, Options
from pocketlens.subprocesses import module_command, module_environment


class LocalWorker:
    """A worker on this machine; see :class:`~pocketlens.bench.devices.device.Worker`."""

    def __init__(self) -> None:
        self.channel = Channel(module_command("pocketlens.bench.worker"), module_environment())

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        return parse_load(self.channel.ask(load_command(str(path.absolute()), runtime, options), seconds))

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        with tempfile.TemporaryDirectory(prefix="pocketlens-") as folder:
            picture_path, expected_path = Path(folder) / "picture.npy", Path(folder) / "expected.npy"
            np.save(picture_path, picture)
            if expected is not None:
                np.save(expected_path, expected)
            files = {"picture": str(picture_path), "expected": str(expected_path) if expected is not None else None}
            answer = self.channel.ask(
                {"do": "first", **files}, seconds, picture_bytes((picture if expected is None else expected).size)
            )
        return parse_first_frame(answer, picture, expected)

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        began_s = time.monotonic()
        answer = self.channel.ask(play_command(block_seconds, block_count), seconds)
        return parse_block(answer, block_count, time.monotonic() - began_s)

    def peak_mb(self, seconds: float) -> float | None:
        return parse_peak_mb(self.channel.ask({"do": "memory"}, seconds))

    def camera_ms(self, seconds: float) -> tuple[float, ...]:
        return ()

    def close(self) -> None:
        self.channel.close()


class Local:
    """The machine that Pocketlens runs on; see :class:`~pocketlens.bench.devices.device.Device`."""

    name = "local"

    emulated = False
    together = ""

    def missing(self, runtime: str) -> str:
        return RUNTIMES[runtime].missing()

    def accelerators(self, runtime: str) -> Sequence[str]:
        return RUNTIMES[runtime].accelerators

    def prepare(self, runtimes: Sequence[str]) -> None:
        pass

    def host(self) -> Host:
        self.emulated = bool(environment.emulation())
        return environment.host()

    def snapshot(self) -> Snapshot:
        return environment.snapshot()

    def start(self) -> LocalWorker:
        return LocalWorker()

    def reconnect(self) -> None:
        pass

    def close(self) -> None:
        pass
