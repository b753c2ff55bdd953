"""The local device: each subject in a Python process of its own."""

import base64
import os
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import pocketlens
from pocketlens.bench import environment
from pocketlens.bench.channel import Channel, WorkerError
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult
from pocketlens.bench.document import Host, Snapshot
from pocketlens.bundle import typed
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import RUNTIMES, Options

Told = TypeVar("Told", LoadResult, FirstFrame, BlockTimes)


class LocalWorker:
    """A worker on this machine; see :class:`~pocketlens.bench.devices.device.Worker`."""

    def __init__(self) -> None:
        here = str(Path(pocketlens.__file__).parents[1])
        paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        # -P: without it the current folder comes first, and a file named numpy.py there would be run.
        self.channel = Channel(
            [sys.executable, "-P", "-m", "pocketlens.bench.worker"],
            {**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        return load_from(self._ask(loading(str(path.absolute()), runtime, options), seconds))

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        with tempfile.TemporaryDirectory(prefix="pocketlens-") as folder:
            given, wanted = Path(folder) / "picture.npy", Path(folder) / "expected.npy"
            np.save(given, picture)
            if expected is not None:
                np.save(wanted, expected)
            question = {"picture": str(given), "expected": str(wanted) if expected is not None else None}
            return first_from(self._ask({"do": "first", **question}, seconds))

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        return decode(BlockTimes, self._ask({"do": "play", "seconds": block_seconds, "count": block_count}, seconds))

    def peak_mb(self, seconds: float) -> float | None:
        return float(self._ask({"do": "memory"}, seconds)["peak_mb"])

    def close(self) -> None:
        self.channel.close()

    def _ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        return self.channel.ask(question, seconds)


def loading(path: str, runtime: str, options: Options) -> dict[str, Any]:
    """The question ``load``."""
    asked = {"threads": options.threads, "delegate": options.delegate, "precision": options.precision}
    return {"do": "load", "path": path, "runtime": runtime, **asked}


def load_from(answer: dict[str, Any]) -> LoadResult:
    """A worker's answer to ``load``."""
    facts = answer.pop("facts", {})
    told = {"runtime_version": "version", "threads": "threads", "precision": "precision", "delegate": "delegate"}
    return decode(LoadResult, {**answer, **{ours: facts.get(theirs) for ours, theirs in told.items()}})


def first_from(answer: dict[str, Any]) -> FirstFrame:
    """A worker's answer to ``first``."""
    packed, shape = answer.pop("stylized", ""), answer.pop("shape", [])
    try:
        pixels = zlib.decompress(base64.b64decode(packed, validate=True))
        stylized = np.frombuffer(pixels, np.uint8).reshape(shape)
    except (ValueError, TypeError, zlib.error) as error:
        raise WorkerError(f"the worker's picture cannot be read: {error}", do="check its version") from error
    return replace(decode(FirstFrame, answer), stylized=stylized)


def decode(kind: type[Told], answer: dict[str, Any]) -> Told:
    """A worker's answer as the dataclass that it should be; raises WorkerError if it is not."""
    try:
        return typed.build(kind, answer, "answer")
    except InputError as error:
        raise WorkerError(f"the worker gave an answer that is not one: {error.what}", do="check its version") from error


class Local:
    """The machine that Pocketlens runs on; see :class:`~pocketlens.bench.devices.device.Device`."""

    name = "local"

    emulated = False

    def missing(self, runtime: str) -> str:
        return RUNTIMES[runtime].missing()

    def delegates(self, runtime: str) -> Sequence[str]:
        return RUNTIMES[runtime].delegates

    def prepare(self, runtimes: Sequence[str]) -> None:
        pass

    def host(self) -> Host:
        self.emulated = bool(environment.emulation())
        return environment.host()

    def snapshot(self) -> Snapshot:
        return environment.snapshot()

    def start(self) -> LocalWorker:
        return LocalWorker()

    def again(self) -> None:
        pass

    def close(self) -> None:
        pass
