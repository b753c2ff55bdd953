"""Measured-looking documents without measuring."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from pocketlens.bench.document import BenchmarkSettings, Document, Environment, Host, Snapshot
from pocketlens.bench.result import (
    Block,
    CaseResult,
    CaseTiming,
    ExecutionSettings,
    MeasuredArtifact,
    MeasuredRuntime,
    Memory,
    PictureCheck,
)

HOST = Host("Debian", "Linux 6", "aarch64", "Raspberry Pi 5", 4, 8000.0, "3.11.2", "0.1.0", {"numpy": "2.0"})
ARTIFACT = MeasuredArtifact("onnx-fp32-64x64", "onnx", "fp32", (64, 64), 4_000_000)


def blocks_of(*times: Sequence[float]) -> tuple[Block, ...]:
    """Blocks with these frame times in ms; inference takes nine tenths of each."""
    return tuple(Block(float(i), tuple(frames), tuple(t * 0.9 for t in frames)) for i, frames in enumerate(times))


def result(timed: tuple[Block, ...] = (), **changes: Any) -> CaseResult:
    """A result with these blocks.

    Changes may be fields of the result, those of its artifact (``id`` under the name ``artifact``), ``runtime`` and
    ``interpreted``, ``threads`` that were requested, and fields of ``effective`` under their own names.
    """
    artifact = {"id": changes.pop("artifact", ARTIFACT.id)}
    artifact |= {f.name: changes.pop(f.name) for f in fields(MeasuredArtifact) if f.name in changes}
    values: dict[str, Any] = {
        "artifact": replace(ARTIFACT, **artifact),
        "runtime": MeasuredRuntime(changes.pop("runtime", "onnxruntime"), "1.20", changes.pop("interpreted", False)),
        "picture": "0" * 64,
        "requested": ExecutionSettings(changes.pop("threads", None)),
        "effective": ExecutionSettings(2, compute_precision=changes.pop("compute_precision", "fp32")),
    }
    if timed:
        values["timing"] = CaseTiming(12.0, 30.0, 9, True, timed)
        values["memory"] = Memory(35.0, 100.0)
        values["check"] = PictureCheck(60.0, 1.0, 50.0)
    return CaseResult(**{**values, **changes})


def document(*results: CaseResult, busy: float = 0.0) -> Document:
    before = Snapshot(0.1, busy, "performance", 2400.0, 48.3)
    environment = Environment("local", False, "2026-01-02T03:04:05Z", HOST, before, Snapshot())
    return Document(environment, BenchmarkSettings(), results)


def noisy(mean: float, seed: int, **changes: object) -> Document:
    """Twelve blocks of ten frames around a mean in ms, which differ as those of a real machine do."""
    random = np.random.default_rng(seed)
    blocks = random.normal(mean, 0.04 * mean, (12, 10)) * random.normal(1, 0.02, (12, 1))
    return document(result(blocks_of(*blocks.tolist()), **changes))


def at(measured: Document, time: str) -> Document:
    """The same, measured at another time."""
    return replace(measured, environment=replace(measured.environment, time=time))
