"""The commands to a worker process and its answers; ``pocketlens.bench.worker`` is the other side."""

import base64
import zlib
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from pocketlens.bench.channel import WorkerError
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult
from pocketlens.bundle import typed
from pocketlens.errors import InputError
from pocketlens.runtimes.adapter import Options

Answer = TypeVar("Answer", LoadResult, FirstFrame, BlockTimes)


def load_command(path: str, runtime: str, options: Options) -> dict[str, Any]:
    """The command ``load``; ``path`` is the artifact's on the worker's machine."""
    return {
        "do": "load",
        "path": path,
        "runtime": runtime,
        "threads": options.threads,
        "accelerator": options.accelerator,
        "compute_precision": options.compute_precision,
    }


def parse_load(answer: dict[str, Any]) -> LoadResult:
    """The answer to ``load``."""
    info = answer.pop("runtime_info", {})
    answer["runtime_version"] = info.get("version")
    answer["emulated"] = info.get("emulated", False)
    answer["effective"] = {
        "threads": info.get("threads"),
        "accelerator": info.get("accelerator"),
        "delegate": info.get("delegate"),
        "compute_precision": info.get("precision"),
    }
    return parse_answer(LoadResult, answer)


def parse_first_frame(answer: dict[str, Any]) -> FirstFrame:
    """The answer to ``first``."""
    packed, shape = answer.pop("stylized", ""), answer.pop("shape", [])
    try:
        pixels = zlib.decompress(base64.b64decode(packed, validate=True))
        stylized = np.frombuffer(pixels, np.uint8).reshape(shape)
    except (ValueError, TypeError, zlib.error) as error:
        raise WorkerError(f"the worker's picture cannot be read: {error}", do="check its version") from error
    return replace(parse_answer(FirstFrame, answer), stylized=stylized)


def play_command(block_seconds: float, block_count: int) -> dict[str, Any]:
    """The command ``play``."""
    return {"do": "play", "seconds": block_seconds, "count": block_count}


def parse_answer(kind: type[Answer], answer: dict[str, Any]) -> Answer:
    """An answer as a dataclass.

    Raises:
        WorkerError: It lacks a field, or a field has another type.
    """
    try:
        return typed.build(kind, answer, "answer")
    except InputError as error:
        raise WorkerError(f"the worker's answer cannot be read: {error.what}", do="check its version") from error
