"""LiteRT's ``benchmark_model`` on an Android device: a worker that starts it, and the parser of its output.

The tool prints a summary, not samples. With three runs a start every sample can be computed from it: it prints the
first, the last and the mean. Each start warms up for half a second before the three runs.
"""

import re
import shlex
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens import files
from pocketlens.bench.devices.adb import Adb
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult
from pocketlens.bench.devices.worker_protocol import parse_block, score
from pocketlens.bench.errors import AnswerError, WorkerError
from pocketlens.bench.limits import MAX_MS
from pocketlens.bench.result import ExecutionSettings
from pocketlens.errors import InputError, MissingError, require
from pocketlens.images import Picture, to_uint8
from pocketlens.runtimes import data_files
from pocketlens.runtimes.adapter import Options

RUNTIME = "litert"
"""The runtime that the tool stands in for: it plays the same files with the same library."""
RUNS = 3
"""Frames a start."""
DELEGATES = {
    "xnnpack": "--use_xnnpack=true",
    "gpu": "--use_gpu=true",
    "nnapi": "--use_nnapi=true",
    "none": "--use_xnnpack=false",
}
"""The tool's flag for each delegate."""
DEFAULT_DELEGATE = "xnnpack"
PROCESSORS = {"cpu": "xnnpack", "gpu": "gpu", "npu": "nnapi"}
"""The delegate that computes on each kind of processor."""
_WARM_SECONDS = 0.5


@dataclass(frozen=True)
class ToolOutput:
    """The figures that one start of the tool printed; times in ms, memory in MB.

    Attributes:
        samples: The time of each run after the warm-up, in order, where there are no more than three; else empty.
        count: The number of those runs.
        mean: Their mean time.
        init_ms: Loading the model and applying the delegate.
        first_ms: The first inference.
        memory_mb: How much the tool's memory grew, or None.
        peak_mb: The largest memory footprint, where the tool printed it.
        applied: Whether the delegate was applied, where the tool printed it.
        unknown: Flags that the tool reported as unknown.
    """

    samples: tuple[float, ...]
    count: int
    mean: float
    init_ms: float
    first_ms: float
    memory_mb: float | None = None
    peak_mb: float | None = None
    applied: bool | None = None
    unknown: tuple[str, ...] = ()


def parse(text: str) -> ToolOutput:
    """The figures in the tool's output, standard output and standard error together.

    Raises:
        WorkerError: There are no figures in it; the message has the tool's last error.
        AnswerError: A figure is none.

    Example:
        >>> parse('''count=9 curr=5
        ... count=3 first=20000 curr=22000 min=20000 max=24000 avg=22000 std=1632
        ... Inference timings in us: Init: 5100, First inference: 30000, Warmup (avg): 21000, Inference (avg): 22000
        ... ''').samples
        (20.0, 24.0, 22.0)
    """
    timings = re.search(
        r"Inference timings in us: Init: ([\d.e+]+), First inference: ([\d.e+]+), Warmup \(avg\): [\d.e+]+, "
        r"Inference \(avg\): ([\d.e+]+)",
        text,
    )
    lines = re.findall(r"count=(\d+) (?:first=([\d.e+]+) )?curr=([\d.e+]+)(.*)", text)
    if not timings or not lines:
        errors = [line.strip() for line in text.splitlines() if re.search(r"ERROR|FATAL|rror:|denied|not found", line)]
        last = text.strip().splitlines()[-1:] or ["it printed nothing"]
        raise WorkerError(f"benchmark_model failed: {(errors or last)[-1]}", do="run it by hand on the device")
    count, current = int(_number(lines[-1][0])), _number(lines[-1][2]) / 1000
    average = re.search(r"avg=([\d.e+]+)", lines[-1][3])
    mean = _number(average[1] if average else timings[3]) / 1000
    first = _number(lines[-1][1]) / 1000 if lines[-1][1] else current
    samples = {1: (current,), 2: (first, current), 3: (first, 3 * mean - first - current, current)}.get(count, ())
    memory = re.search(
        r"Memory footprint delta from the start of the tool \(MB\): init=[\d.e+]+ overall=([\d.e+]+)", text
    )
    peak = re.search(r"Overall peak memory footprint \(MB\) via periodic monitoring: ([\d.e+]+)", text)
    return ToolOutput(
        samples=tuple(round(ms, 4) for ms in samples),
        count=count,
        mean=mean,
        init_ms=_number(timings[1]) / 1000,
        first_ms=_number(timings[2]) / 1000,
        memory_mb=_number(memory[1]) if memory else None,
        peak_mb=_number(peak[1]) if peak else None,
        applied=_applied(text),
        unknown=tuple(flags[1].split()) if (flags := re.search(r"Unconsumed cmdline flags: (.*)", text)) else (),
    )


def _number(text: str) -> float:
    """A figure of the tool, of any unit, that a time or a memory can be.

    Raises:
        AnswerError: It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000 * MAX_MS:
        raise AnswerError(f"benchmark_model printed {text[:40]!r} for a figure", do="run it by hand on the device")
    return value


def _applied(text: str) -> bool | None:
    if "delegate, and the model graph will be completely executed" in text or "Explicitly applied" in text:
        return True
    if "will be executed w/o the delegate" in text or "Failed to apply" in text:
        return False
    return None


class ToolWorker:
    """A worker that starts the tool anew for each block; see :class:`~pocketlens.bench.devices.device.Worker`."""

    def __init__(self, adb: Adb, tool: str, folder: str) -> None:
        self._adb, self._tool, self._folder, self._delegate = adb, tool, folder, DEFAULT_DELEGATE
        self._model = ""
        self._threads = 1
        self._input: tuple[str, np.dtype[Any]] = ("", np.dtype(np.float32))
        self._peak_mb: float | None = None

    def load(self, path: Path, runtime: str, options: Options, seconds: float) -> LoadResult:
        self._model = f"{self._folder}/{files.sha256(path)[:16]}.tflite"
        name = options.accelerator or ""
        requested = name if name in DELEGATES else PROCESSORS.get(name)
        self._threads, self._delegate = options.threads or 1, requested or DEFAULT_DELEGATE
        self._adb.put(path, self._model)
        size = self._read_input(path)
        output = self._start(seconds, "--num_runs=1 --warmup_runs=0 --warmup_min_secs=0 --min_secs=0")
        if DELEGATES[self._delegate] in output.unknown:
            if requested not in (None, "none"):
                raise MissingError(f"this benchmark_model has no {self._delegate}", do="use one that was built with it")
            self._delegate = "none"
        if self._delegate != "none" and output.applied is False:
            raise WorkerError(f"the delegate {self._delegate} did not take the model", do="choose another")
        effective = ExecutionSettings(self._threads, delegate=f"{self._delegate}, benchmark_model")
        return LoadResult(output.init_ms, size, 0.0, effective=effective, restarts=True)

    def first(self, picture: Picture, expected: Picture | None, seconds: float) -> FirstFrame:
        name, dtype = self._input
        height, width = picture.shape[:2]
        input_path, output_path = f"{self._folder}/given.raw", f"{self._folder}/made.raw"
        with tempfile.TemporaryDirectory(prefix="pocketlens-") as folder:
            raw = Path(folder) / "raw"
            raw.write_bytes(np.ascontiguousarray(picture.astype(dtype)).tobytes())
            self._adb.put(raw, input_path)
            output = self._start(
                seconds,
                f"--input_layer={shlex.quote(name)} --input_layer_shape=1,{height},{width},3 "
                f"--input_layer_value_files={shlex.quote(f'{name}:{input_path}')} --output_filepath={output_path} "
                "--num_runs=1 --warmup_runs=0 --warmup_min_secs=0 --min_secs=0",
            )
        # One byte more than expected is enough to see that it is another picture.
        data = self._adb.read(output_path, picture.size * dtype.itemsize + 1)
        if len(data) != picture.size * dtype.itemsize:
            raise WorkerError("benchmark_model wrote no picture", do="use one of 2023 or later (--output_filepath)")
        values = np.frombuffer(data, dtype).reshape(picture.shape)
        stylized = values if dtype == np.uint8 else to_uint8(values.astype(np.float32))
        return score(FirstFrame(output.first_ms or output.mean, stylized=stylized), expected)

    def play(self, block_seconds: float, block_count: int, seconds: float) -> BlockTimes:
        samples: list[float] = []
        began = time.monotonic()
        end = began + block_seconds
        while len(samples) < block_count or (time.monotonic() < end and sum(samples) < 1000 * block_seconds):
            output = self._start(seconds, f"--num_runs={RUNS} --min_secs=0 --warmup_min_secs={_WARM_SECONDS}")
            if not output.samples:
                raise WorkerError(f"benchmark_model made {output.count} runs instead of {RUNS}", do="check its version")
            samples += output.samples
        return parse_block({"frame_ms": samples, "inference_ms": samples}, block_count, time.monotonic() - began)

    def peak_mb(self, seconds: float) -> float | None:
        return self._peak_mb

    def camera_ms(self, seconds: float) -> tuple[float, ...]:
        return ()

    def close(self) -> None:
        pass

    def _read_input(self, path: Path) -> tuple[int, int]:
        """Read the artifact's input here, and return its size: the tool needs its name and does not print it."""
        require("ai_edge_litert", "litert")
        from ai_edge_litert.interpreter import Interpreter

        try:
            data_files.check(path)
            (detail,) = Interpreter(model_path=str(path)).get_input_details()
        except (InputError, ValueError, RuntimeError) as error:
            raise WorkerError(f"{path.name} is not readable: {str(error)[:100]}", do="verify the bundle") from error
        self._input = (str(detail["name"]), np.dtype(detail["dtype"]))
        return int(detail["shape"][1]), int(detail["shape"][2])

    def _start(self, seconds: float, flags: str) -> ToolOutput:
        line = (
            f"{shlex.quote(self._tool)} --graph={self._model} --num_threads={self._threads} "
            f"{DELEGATES[self._delegate]} {flags} 2>&1"
        )
        output = parse(self._adb.run(f"{line} || true", seconds))
        peaks_mb = [value for value in (self._peak_mb, output.memory_mb) if value is not None]
        self._peak_mb = max(peaks_mb) if peaks_mb else None
        return output
