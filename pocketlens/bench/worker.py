"""One artifact in one runtime, in a process of its own: ``python -m pocketlens.bench.worker``.

Commands come on standard input, answers leave on standard output, one JSON object a line. A command has ``do``; an
answer has ``error`` when it could not be done. The process ends when its standard input closes, even in the middle of a
frame.

==========  ==============================================  =========================================================
do          with                                            answer
==========  ==============================================  =========================================================
load        path, runtime, threads, accelerator,            load_ms, size, runtime_info, baseline_mb
            compute_precision
first       picture, expected (``.npy`` files; or null)     first_ms, psnr, largest_error (null without ``expected``),
                                                            stylized (its pixels, zlib in base64), shape
play        seconds, count                                  frame_ms, inference_ms
memory                                                      peak_mb
host                                                        host, emulation (why it counts as emulated, or empty)
snapshot                                                    snapshot
==========  ==============================================  =========================================================

What is timed: ``frame_ms`` is the wall clock around ``session(image)``, picture in to picture out, ``uint8`` both, at
the artifact's own size: what an app waits for. ``inference_ms`` is the runtime's part of it, until the output has been
read back: what other benchmark tools report. Each block begins with one frame that is not counted: the frame before it
was another case's, and the caches hold that case's data.
"""

import argparse
import base64
import dataclasses
import gc
import json
import os
import queue
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens import quality
from pocketlens.bench import environment
from pocketlens.errors import InputError, MissingError, PocketlensError
from pocketlens.runtimes.adapter import Options, Player, Runtime, runtime_for
from pocketlens.runtimes.loaded import ExtraInputs
from pocketlens.runtimes.session import Session

GREETING = "pocketlens-worker 2"
"""The first line with ``--greet``; the number counts the protocol's versions."""
_NS = 1e6


class _TimedPlayer:
    """A player that notes how long each picture took it."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.inputs, self.outputs, self.runtime_info = player.inputs, player.outputs, player.runtime_info
        self.feed, self.result, self.close = player.feed, player.result, player.close
        self.inference_ns = 0

    def run(self) -> None:
        start = perf_counter_ns()
        self._player.run()
        self.inference_ns = perf_counter_ns() - start


class _Worker:
    def __init__(self) -> None:
        self._player: _TimedPlayer | None = None
        self._session: Session | None = None
        self._image: NDArray[np.uint8] | None = None
        self._inputs: ExtraInputs | None = None
        self.commands: dict[str, Callable[..., dict[str, Any]]] = {
            "load": self.load,
            "first": self.first,
            "play": self.play,
            "memory": self.memory,
            "host": self.host,
            "snapshot": self.snapshot,
        }

    def load(
        self,
        path: str,
        runtime: str,
        threads: int | None,
        accelerator: str | None = None,
        compute_precision: str | None = None,
    ) -> dict[str, Any]:
        adapter: Runtime = runtime_for(Path(path), runtime)
        baseline = peak_mb()
        if reason := adapter.missing():
            raise MissingError(f"{adapter.name}: {reason}", do=adapter.install)
        adapter.version()  # imports the library, which is no part of loading an artifact
        options = Options(threads, accelerator, compute_precision, pixels=True)
        start = perf_counter_ns()
        self._player = _TimedPlayer(adapter.open(Path(path), options))
        load_ms = (perf_counter_ns() - start) / _NS
        self._session = Session(self._player, adapter.name)
        delegate = accelerator if accelerator not in adapter.processors else None  # where the runtime does not tell
        info = {"delegate": delegate, **self._player.runtime_info.document()}
        return {"load_ms": load_ms, "size": self._session.size, "runtime_info": info, "baseline_mb": baseline}

    def first(self, picture: str, expected: str | None) -> dict[str, Any]:
        self._image = np.load(picture, allow_pickle=False)
        expected_image = np.load(expected, allow_pickle=False) if expected else None
        assert self._session is not None
        self._inputs = self._session.alone(self._image)
        frame_ms, _, stylized = self._frame()
        if self._session.states:  # what is expected has seen a frame before
            stylized = self._session.still(self._image)
        stylized = np.ascontiguousarray(stylized[..., :3])
        packed = base64.b64encode(zlib.compress(stylized.tobytes(), 1)).decode()
        answer = {
            "first_ms": frame_ms,
            "psnr": None,
            "largest_error": None,
            "stylized": packed,
            "shape": stylized.shape,
        }
        if expected_image is None:
            return answer
        if expected_image.shape != stylized.shape:
            raise InputError(
                f"the picture is {list(stylized.shape)}, the expected one {list(expected_image.shape)}",
                do="give both at one size",
            )
        error = quality.largest_error(expected_image, stylized)
        return {**answer, "psnr": quality.psnr(expected_image, stylized), "largest_error": error}

    def play(self, seconds: float, count: int) -> dict[str, Any]:
        frames: list[float] = []
        inferences: list[float] = []
        self._frame()
        end = perf_counter_ns() + int(seconds * 1e9)
        while len(frames) < count or perf_counter_ns() < end:
            frame_ms, inference_ms, _ = self._frame()
            frames.append(round(frame_ms, 4))
            inferences.append(round(inference_ms, 4))
        return {"frame_ms": frames, "inference_ms": inferences}

    def memory(self) -> dict[str, Any]:
        return {"peak_mb": peak_mb()}

    def host(self) -> dict[str, Any]:
        return {"host": dataclasses.asdict(environment.host()), "emulation": environment.emulation()}

    def snapshot(self) -> dict[str, Any]:
        return {"snapshot": dataclasses.asdict(environment.snapshot())}

    def _frame(self) -> tuple[float, float, NDArray[np.uint8]]:
        if self._session is None or self._player is None or self._image is None:
            raise InputError("nothing is loaded", do="send 'load' and 'first' first")
        start = perf_counter_ns()
        stylized = self._session(self._image, self._inputs)
        frame_ns = perf_counter_ns() - start
        return frame_ns / _NS, self._player.inference_ns / _NS, stylized

    def answer(self, line: bytes) -> dict[str, Any]:
        arguments = json.loads(line)
        command = self.commands[arguments.pop("do")]
        try:
            return command(**arguments)
        except PocketlensError as error:
            return {"error": error.what, "do": error.do, "missing": isinstance(error, MissingError)}


def peak_mb() -> float:
    """The largest resident memory that this process has had, in MB of 10**6 bytes."""
    try:
        # Not ru_maxrss on Linux: a child begins with what its parent held when it was started, torch and all.
        fields = Path("/proc/self/status").read_text().split()
        return int(fields[fields.index("VmHWM:") + 1]) * 1024 / 1e6
    except (OSError, ValueError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> None:
    """Answer commands until standard input closes.

    Two options are for connections that may break unnoticed. ``--idle SECONDS`` ends the worker when no command has
    come for so long. ``--greet`` prints a line when the worker is ready: what a login shell printed before it is no
    answer.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--greet", action="store_true")
    parser.add_argument("--idle", type=float)
    arguments = parser.parse_args()
    gc.disable()  # Python's collector belongs to the harness, not to the artifact: an app has none
    # Runtimes print what they like on standard output, and may read standard input: neither may reach the other side.
    # The commands are read unbuffered, since a buffer has a lock, and a process that a library forks would wait for it.
    commands, answers = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in commands:
            lines.put(line)
        os._exit(0)  # the other side has ended, perhaps while a frame is being played: nothing is left to clean up

    threading.Thread(target=read, daemon=True).start()
    worker = _Worker()
    if arguments.greet:
        print(GREETING, file=answers)
    while True:
        try:
            line = lines.get(timeout=arguments.idle)
        except queue.Empty:
            os._exit(0)
        print(json.dumps(worker.answer(line)), file=answers)


if __name__ == "__main__":
    main()
