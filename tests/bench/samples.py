"""Measured-looking documents without measuring."""

from collections.abc import Sequence
from typing import Any

from pocketlens.bench.document import (
    BenchmarkSettings,
    Block,
    CaseResult,
    Document,
    Environment,
    Host,
    Memory,
    PictureCheck,
    Snapshot,
    Timing,
)

HOST = Host("Debian", "Linux 6", "aarch64", "Raspberry Pi 5", 4, 8000.0, "3.11.2", "0.1.0", {"numpy": "2.0"})


def rounds(*blocks: Sequence[float]) -> tuple[Block, ...]:
    return tuple(Block(float(i), tuple(block), tuple(t * 0.9 for t in block)) for i, block in enumerate(blocks))


def result(timed: tuple[Block, ...] = (), **changes: Any) -> CaseResult:
    fields: dict[str, Any] = {
        "artifact": "onnx-fp32-64x64",
        "target": "onnx",
        "precision": "fp32",
        "size": (64, 64),
        "bytes": 4_000_000,
        "runtime": "onnxruntime",
        "threads": None,
        "picture": "0" * 64,
        "runtime_version": "1.20",
        "effective_threads": 2,
        "effective_precision": "fp32",
    }
    if timed:
        fields["timing"] = Timing(12.0, 30.0, 9, True, timed)
        fields["memory"] = Memory(35.0, 100.0)
        fields["check"] = PictureCheck(60.0, 1.0, 50.0)
    return CaseResult(**{**fields, **changes})


def document(*results: CaseResult, busy: float = 0.0) -> Document:
    before = Snapshot(0.1, busy, "performance", 2400.0, 48.3)
    environment = Environment("local", False, "2026-01-02T03:04:05Z", HOST, before, Snapshot())
    return Document(environment, BenchmarkSettings(), results)
