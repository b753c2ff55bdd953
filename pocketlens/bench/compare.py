"""Compare measurements: ratios of medians with confidence intervals, or the reasons why they cannot be compared."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from pocketlens.bench import statistics
from pocketlens.bench.document import Document
from pocketlens.bench.result import Block, CaseResult, ExecutionSettings
from pocketlens.errors import InputError

Finding = Literal["faster", "slower", "no difference"]

LEAST_CHANGE = 0.01
"""A change below 1 % is no difference, whatever the interval: machines differ by more from one day to the next."""


@dataclass(frozen=True)
class Ratio:
    """One case in two documents: how long a frame takes in the second, as a share of the first.

    Attributes:
        label: The case's name: ``"onnx-fp32-256x256 in openvino"``.
        base_ms: Its median frame time in the first document, in ms.
        other_ms: And in the other one.
        ratio: ``other_ms / base_ms``; below 1 is faster.
        low: Lower end of its confidence interval (:data:`~pocketlens.bench.statistics.CONFIDENCE`).
        high: Upper end.
        finding: ``"no difference"`` where the interval holds 1, or the change is below 1 %.
    """

    label: str
    base_ms: float
    other_ms: float
    ratio: float
    low: float
    high: float
    finding: Finding


def compare(base: Document, other: Document, *, force: bool = False) -> list[Ratio]:
    """The cases that two documents share, in the order of the first.

    Args:
        base: The document to compare with.
        other: The document to compare.
        force: Compare in spite of the reasons against it.

    Raises:
        InputError: They share no timed case, or :func:`incomparable` has reasons: other pictures, another device, an
            emulated and a real one.
    """
    pairs = _pairs(base, other)
    if not force and (reasons := incomparable(base, other)):
        raise InputError(f"these cannot be compared: {'; '.join(reasons)}", do="measure alike, or say --force")
    return [_ratio(first.label, first.blocks, second.blocks) for first, second in pairs]


def incomparable(base: Document, other: Document) -> list[str]:
    """Why two documents should not be compared, in words; empty if they can be."""
    environments = (base.environment, other.environment)
    devices = [(env.device, env.host.cpu, env.host.machine) for env in environments]
    reasons = []
    if environments[0].emulated != environments[1].emulated:
        reasons.append("one device is emulated, the other is real")
    if devices[0] != devices[1]:
        names = [f"{device}, {cpu}" for device, cpu, _ in devices]
        reasons.append(f"the devices differ: {names[0]}, and {names[1]}")
    if base.settings.sustained != other.settings.sustained:
        reasons.append("one is sustained, the other is not")
    for first, second in _pairs(base, other):
        if first.picture != second.picture:
            reasons.append(f"{first.label} played different pictures")
        for setting in fields(ExecutionSettings):
            values = getattr(first.effective, setting.name), getattr(second.effective, setting.name)
            if None not in values and values[0] != values[1]:
                name = setting.name.replace("_", " ")
                reasons.append(f"{first.label}: {name} {values[0]} and {values[1]}")
    return reasons


def regressions(ratios: Sequence[Ratio], threshold: float) -> list[Ratio]:
    """The ratios that are surely slower by more than ``threshold``, a share: the whole interval lies above it."""
    return [ratio for ratio in ratios if ratio.low > 1 + threshold]


def _shared(base: Document, other: Document) -> list[tuple[CaseResult, CaseResult]]:
    """The cases that both have timed, in pairs."""
    others = {result.label: result for result in other.results if result.blocks}
    return [(result, others[result.label]) for result in base.results if result.blocks and result.label in others]


def _pairs(base: Document, other: Document) -> list[tuple[CaseResult, CaseResult]]:
    pairs = _shared(base, other)
    if not pairs:
        base_labels, other_labels = (
            "; ".join(r.label for r in doc.results if r.blocks) or "nothing" for doc in (base, other)
        )
        raise InputError(
            f"the documents share no timed case: one has {base_labels}, the other {other_labels}",
            do="measure the same artifacts with the same settings",
        )
    return pairs


def _ratio(label: str, base: Sequence[Block], other: Sequence[Block]) -> Ratio:
    first, second = (statistics.percentile(statistics.frames(blocks), 50) for blocks in (base, other))
    medians = [statistics.resampled_percentiles(blocks, 50, seed) for seed, blocks in enumerate((base, other))]
    resamples = min(map(len, medians))
    ratios = medians[1][:resamples] / medians[0][:resamples]
    tail = 50 * (1 - statistics.CONFIDENCE)
    low, high = (float(value) for value in np.percentile(ratios, [tail, 100 - tail]))
    ratio = second / first
    finding: Finding = "no difference"
    if not low <= 1 <= high and abs(ratio - 1) >= LEAST_CHANGE:
        finding = "slower" if ratio > 1 else "faster"
    return Ratio(label, first, second, ratio, low, high, finding)


@dataclass(frozen=True)
class HistoryPoint:
    """The median of a case at one time of its history, with its interval, in ms."""

    time: str
    p50: float
    low: float
    high: float


def history(folder: Path) -> list[Document]:
    """All documents of a folder, oldest first.

    Raises:
        InputError: There is none, or one is damaged.
    """
    if not folder.is_dir() or not (paths := sorted(folder.glob("*.json"))):
        raise InputError(f"{folder} holds no documents", do="fill it: pocketlens bench BUNDLE --history FOLDER")
    return sorted((Document.read(path) for path in paths), key=lambda document: document.environment.time)


def series(documents: Sequence[Document]) -> dict[str, list[HistoryPoint]]:
    """The medians of each case over time, by device and label; those of other devices or pictures are kept apart."""
    histories: dict[tuple[str, str], list[HistoryPoint]] = {}
    for document in documents:
        for result in document.results:
            if result.blocks:
                low, high = statistics.bootstrap_interval(result.blocks, 50)
                p50 = statistics.percentile(statistics.frames(result.blocks), 50)
                key = (f"{document.environment.device}: {result.label}", result.picture)
                histories.setdefault(key, []).append(HistoryPoint(document.environment.time, p50, low, high))
    pictures = Counter(name for name, _ in histories)
    return {
        name if pictures[name] == 1 else f"{name}, picture {picture[:6]}": points
        for (name, picture), points in histories.items()
    }


def latest(documents: Sequence[Document], *, force: bool = False) -> list[tuple[Document, Document]]:
    """For each device: the newest document, after the latest earlier one that it can be compared with.

    Documents that cannot be compared with it are passed over: of other artifacts or filters, or measured otherwise.

    Args:
        documents: Oldest first.
        force: Pass over only the documents that share no case.
    """
    by_device: dict[str, list[Document]] = {}
    for document in documents:
        by_device.setdefault(document.environment.device, []).append(document)
    pairs = []
    for *earlier, newest in by_device.values():
        comparable = [
            document
            for document in earlier
            if _shared(document, newest) and (force or not incomparable(document, newest))
        ]
        pairs += [(document, newest) for document in comparable[-1:]]
    return pairs
