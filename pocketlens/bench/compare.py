"""Two or more measurements beside each other: ratios of medians with confidence intervals, or the reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pocketlens.bench import statistics
from pocketlens.bench.document import Block, CaseResult, Document
from pocketlens.errors import InputError

Finding = Literal["faster", "slower", "no difference"]

LEAST_CHANGE = 0.01
"""A change below 1 % is no difference, however sure: machines differ by more from one day to the next."""


@dataclass(frozen=True)
class Ratio:
    """One subject in two documents: how long a frame takes in the second, as a share of the first.

    Attributes:
        label: Names the subject: ``"onnx-fp32-256x256 in openvino"``.
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
    """The subjects that two documents share, in the order of the first.

    Args:
        base: What is compared with.
        other: What is compared.
        force: Compare unlike things too.

    Raises:
        InputError: They share no timed subject, or are unlike: other pictures, another device, an emulated and a real one.
    """
    pairs = _pairs(base, other)
    if not force and (reasons := unlike(base, other)):
        raise InputError(f"these cannot be compared: {'; '.join(reasons)}", do="measure alike, or say --force")
    return [_ratio(one.label, one.rounds, two.rounds) for one, two in pairs]


def unlike(base: Document, other: Document) -> list[str]:
    """Why two documents should not be compared, in words; empty if they are alike."""
    one, two = base.environment, other.environment
    found = []
    if one.emulated != two.emulated:
        found.append("one device is emulated, the other is real")
    if one.device != two.device or (one.host.cpu, one.host.machine) != (two.host.cpu, two.host.machine):
        found.append(f"the devices differ: {one.device}, {one.host.cpu}, and {two.device}, {two.host.cpu}")
    if base.settings.sustained != other.settings.sustained:
        found.append("one is sustained, the other is not")
    for first, second in _pairs(base, other):
        if first.picture != second.picture:
            found.append(f"{first.label} played different pictures")
        for what in ("effective_threads", "effective_precision", "delegate"):
            values = getattr(first, what), getattr(second, what)
            if None not in values and values[0] != values[1]:
                found.append(f"{first.label}: {what.replace('effective_', '')} {values[0]} and {values[1]}")
    return found


def regressions(ratios: Sequence[Ratio], threshold: float) -> list[Ratio]:
    """Those that are surely slower by more than ``threshold``, a share: the whole interval lies above."""
    return [one for one in ratios if one.low > 1 + threshold]


def _shared(base: Document, other: Document) -> list[tuple[CaseResult, CaseResult]]:
    """The timed subjects of both, in pairs."""
    there = {one.label: one for one in other.subjects if one.rounds}
    return [(one, there[one.label]) for one in base.subjects if one.rounds and one.label in there]


def _pairs(base: Document, other: Document) -> list[tuple[CaseResult, CaseResult]]:
    found = _shared(base, other)
    if not found:
        one, two = ("; ".join(r.label for r in doc.subjects if r.rounds) or "nothing" for doc in (base, other))
        raise InputError(
            f"the documents share no timed subject: one has {one}, the other {two}",
            do="measure the same artifacts with the same settings",
        )
    return found


def _ratio(label: str, base: Sequence[Block], other: Sequence[Block]) -> Ratio:
    first, second = (statistics.percentile(statistics.frames(rounds), 50) for rounds in (base, other))
    drawn = _medians(other, 1) / _medians(base, 0)
    tail = 50 * (1 - statistics.CONFIDENCE)
    low, high = (float(value) for value in np.percentile(drawn, [tail, 100 - tail]))
    ratio = second / first
    finding: Finding = "no difference"
    if not low <= 1 <= high and abs(ratio - 1) >= LEAST_CHANGE:
        finding = "slower" if ratio > 1 else "faster"
    return Ratio(label, first, second, ratio, low, high, finding)


def _medians(rounds: Sequence[Block], seed: int) -> statistics.Samples:
    """Medians of what is drawn by the bootstrap: whole rounds, because frames of one round resemble each other."""
    random = np.random.default_rng(seed)
    groups = [np.asarray(one.frame_ms) for one in rounds]
    if len(groups) < 5:
        samples = np.concatenate(groups)
        drawn = random.integers(0, len(samples), (statistics.RESAMPLES, len(samples)))
        medians: statistics.Samples = np.median(samples[drawn], axis=1)
        return medians
    chosen = random.integers(0, len(groups), (statistics.RESAMPLES, len(groups)))
    return np.array([np.median(np.concatenate([groups[i] for i in row])) for row in chosen])


@dataclass(frozen=True)
class HistoryPoint:
    """A subject's median at one time of its history, with its interval, in ms."""

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
    return sorted((Document.read(path) for path in paths), key=lambda one: one.environment.time)


def series(documents: Sequence[Document]) -> dict[str, list[HistoryPoint]]:
    """Each subject's medians over time, by device and label; those of other devices or pictures are kept apart."""
    found: dict[tuple[str, str], list[HistoryPoint]] = {}
    for document in documents:
        for one in document.subjects:
            if one.rounds:
                low, high = statistics.bootstrap_interval(one.rounds, 50)
                p50 = statistics.percentile(statistics.frames(one.rounds), 50)
                key = (f"{document.environment.device}: {one.label}", one.picture)
                found.setdefault(key, []).append(HistoryPoint(document.environment.time, p50, low, high))
    names = [name for name, _ in found]
    return {
        name if names.count(name) == 1 else f"{name}, picture {picture[:6]}": points
        for (name, picture), points in found.items()
    }


def latest(documents: Sequence[Document], *, force: bool = False) -> list[tuple[Document, Document]]:
    """Of each device the newest document, behind the one before it that it can be compared with.

    A folder may hold what cannot be compared, of other artifacts or filters, or measured otherwise; those are passed over.

    Args:
        documents: Oldest first.
        force: Only what shares no subject is passed over.
    """
    by_device: dict[str, list[Document]] = {}
    for document in documents:
        by_device.setdefault(document.environment.device, []).append(document)
    found = []
    for *earlier, newest in by_device.values():
        able = [one for one in earlier if _shared(one, newest) and (force or not unlike(one, newest))]
        found += [(one, newest) for one in able[-1:]]
    return found
