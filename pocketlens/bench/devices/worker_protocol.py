"""The commands to a worker process and its answers; ``pocketlens.bench.worker`` is the other side.

Every answer becomes one of the types of this module before anything is done with it, or an
:class:`~pocketlens.bench.errors.AnswerError`.
"""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from pocketlens import quality
from pocketlens.bench.devices.device import BlockTimes, FirstFrame, LoadResult
from pocketlens.bench.document import Host, Snapshot
from pocketlens.bench.errors import AnswerError
from pocketlens.bench.limits import CLOCK_SLACK, MAX_MB, MAX_MS, MAX_SIDE, MAX_TEXT, MIN_MS, PSNR_SLACK_DB
from pocketlens.bench.result import ExecutionSettings
from pocketlens.bundle import typed
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import Options

T = TypeVar("T")
_TEXT = typed.bounds(length=MAX_TEXT)
_CLOCK_STEP_MS = 0.1
"""The coarsest step of a clock: browsers round theirs."""
_CHECK_VERSION = "check the version of Pocketlens there"


@dataclass(frozen=True)
class _RuntimeInfo:
    """What a runtime said of itself; see :class:`pocketlens.runtimes.adapter.RuntimeInfo`."""

    version: str | None = field(default=None, metadata=_TEXT)
    threads: int | None = field(default=None, metadata=typed.bounds(0, MAX_SIDE))
    accelerator: str | None = field(default=None, metadata=_TEXT)
    delegate: str | None = field(default=None, metadata=_TEXT)
    precision: str | None = field(default=None, metadata=_TEXT)
    emulated: bool = False


@dataclass(frozen=True)
class _Load:
    load_ms: float = field(metadata=typed.bounds(0, MAX_MS))
    size: tuple[int, int] = field(metadata=typed.bounds(1, MAX_SIDE))
    baseline_mb: float = field(metadata=typed.bounds(0, MAX_MB))
    runtime_info: _RuntimeInfo = _RuntimeInfo()


@dataclass(frozen=True)
class _FirstTime:
    first_ms: float = field(metadata=typed.bounds(MIN_MS, MAX_MS))


@dataclass(frozen=True)
class _First(_FirstTime):
    shape: tuple[int, int, int]
    psnr: float | None = None
    largest_error: float | None = field(default=None, metadata=typed.bounds(0, 255))


@dataclass(frozen=True)
class _Block:
    frame_ms: tuple[float, ...] = field(metadata=typed.bounds(MIN_MS, MAX_MS))
    inference_ms: tuple[float, ...] = field(metadata=typed.bounds(0, MAX_MS))


@dataclass(frozen=True)
class _PeakMemory:
    peak_mb: float | None = field(metadata=typed.bounds(0, MAX_MB))


@dataclass(frozen=True)
class _Camera:
    camera_ms: tuple[float, ...] = field(metadata=typed.bounds(0, MAX_MS))


@dataclass(frozen=True)
class _Host:
    host: Host
    emulation: str = field(metadata=_TEXT)


@dataclass(frozen=True)
class _Snapshot:
    snapshot: Snapshot


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


def parse_load(answer: Mapping[str, Any]) -> LoadResult:
    """The answer to ``load``."""
    load = _parse(_Load, answer)
    info = load.runtime_info
    effective = ExecutionSettings(info.threads, info.accelerator, info.delegate, info.precision)
    return LoadResult(load.load_ms, load.size, load.baseline_mb, info.version, effective, emulated=info.emulated)


def parse_first_frame(answer: Mapping[str, Any], picture: Picture, expected: Picture | None) -> FirstFrame:
    """The answer to ``first``; the picture is scored here again, and the worker's own score is only compared.

    Args:
        answer: What the worker sent.
        picture: What it was given, ``uint8 [H, W, 3]``.
        expected: What it was to make of it, or None.
    """
    first, packed = _parse(_First, answer), answer.get("stylized")  # a picture is longer than any text may be
    if not isinstance(packed, str):
        raise _wrong("its picture is no text")
    wanted = picture if expected is None else expected
    if first.shape != wanted.shape:
        raise _wrong(f"the picture has the shape {list(first.shape)}, expected {list(wanted.shape)}")
    try:
        unpacker = zlib.decompressobj()
        pixels = unpacker.decompress(base64.b64decode(packed, validate=True), wanted.size + 1)
    except (ValueError, zlib.error) as error:
        raise _wrong(f"the picture cannot be read: {error}") from error
    if len(pixels) != wanted.size or not unpacker.eof:
        raise _wrong(f"the picture does not have the {wanted.size:,} bytes of its shape")
    stylized = np.frombuffer(pixels, np.uint8).reshape(wanted.shape)
    frame = score(FirstFrame(first.first_ms, stylized=stylized), expected)
    if frame.psnr is not None and (first.psnr is None or abs(first.psnr - frame.psnr) > PSNR_SLACK_DB):
        raise _wrong(f"it says {first.psnr} dB of a picture that has {frame.psnr:.1f}")
    return frame


def parse_first_ms(answer: Mapping[str, Any]) -> float:
    """The time of the first frame alone, of a device that sends its picture in another form."""
    return _parse(_FirstTime, answer).first_ms


def score(frame: FirstFrame, expected: Picture | None) -> FirstFrame:
    """The first frame with the scores of its picture against the expected one, where there is one."""
    if expected is None or frame.stylized is None:
        return frame
    psnr = quality.psnr(expected, frame.stylized)
    return FirstFrame(frame.first_ms, psnr, quality.largest_error(expected, frame.stylized), frame.stylized)


def play_command(block_seconds: float, block_count: int) -> dict[str, Any]:
    """The command ``play``."""
    return {"do": "play", "seconds": block_seconds, "count": block_count}


def parse_block(answer: Mapping[str, Any], block_count: int, waited_s: float) -> BlockTimes:
    """The answer to ``play``.

    Args:
        answer: What the worker sent.
        block_count: How many frames it was to play at least.
        waited_s: How long the answer took, by the clock here.
    """
    block = _parse(_Block, answer)
    count = len(block.frame_ms)
    if count < block_count or count != len(block.inference_ms):
        raise _wrong(f"{count} and {len(block.inference_ms)} times came of at least {block_count} frames")
    if any(inner > frame + _CLOCK_STEP_MS for frame, inner in zip(block.frame_ms, block.inference_ms, strict=True)):
        raise _wrong("an inference took longer than its frame")
    if (played_s := sum(block.frame_ms) / 1000) > CLOCK_SLACK * waited_s + 1:
        raise _wrong(f"frames of {played_s:,.1f} s came within {waited_s:,.1f} s")
    return BlockTimes(block.frame_ms, block.inference_ms)


def parse_peak_mb(answer: Mapping[str, Any]) -> float | None:
    """The answer to ``memory``."""
    return _parse(_PeakMemory, answer).peak_mb


def parse_camera_ms(answer: Mapping[str, Any]) -> tuple[float, ...]:
    """The answer to ``camera``."""
    return _parse(_Camera, answer).camera_ms


def parse_host(answer: Mapping[str, Any]) -> tuple[Host, str]:
    """The answer to ``host``: the machine, and why it counts as emulated (empty for a real one)."""
    parsed = _parse(_Host, answer)
    return parsed.host, parsed.emulation


def parse_snapshot(answer: Mapping[str, Any]) -> Snapshot:
    """The answer to ``snapshot``."""
    return _parse(_Snapshot, answer).snapshot


def check_facts(facts: T) -> T:
    """Check facts that were made of what a device printed: a :class:`Host` or a :class:`Snapshot`."""
    return _parse(type(facts), typed.plain(facts))


def _parse(kind: type[T], answer: Mapping[str, Any]) -> T:
    try:
        return typed.build(kind, answer, "the device's answer")
    except InputError as error:
        raise _wrong(error.what) from error


def _wrong(what: str) -> AnswerError:
    return AnswerError(what, do=_CHECK_VERSION)
