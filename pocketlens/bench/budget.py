"""Budgets on frame time, size and memory, and the verdict on a measured case."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from pocketlens.bench import statistics
from pocketlens.bench.document import MB, Document
from pocketlens.bench.result import CaseResult
from pocketlens.errors import InputError

Verdict = Literal["pass", "fail", "unstable", "not measured"]

MIN_FRAMES = 20
"""Of fewer frames, the 95th percentile is just the slowest one; nothing passes on that."""


@dataclass(frozen=True)
class PerformanceBudget:
    """Limits that must hold; None is not judged.

    Attributes:
        frame_ms: Frame time, picture in to picture out, in ms, at :attr:`percentile`.
        percentile: Of the frame time, 50 or more and below 100.
        first_frame_ms: From a loaded library to the first picture, in ms: loading the artifact, and its first frame.
        size_mb: Bytes on disk / 10**6.
        memory_mb: What the artifact's process needed beyond Python and numpy, / 10**6.
        name: The preset that it comes from, if any.
        source: Who published the limits, and where.
    """

    frame_ms: float | None = None
    percentile: float = 95.0
    first_frame_ms: float | None = None
    size_mb: float | None = None
    memory_mb: float | None = None
    name: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("frame_ms", "first_frame_ms", "size_mb", "memory_mb"):
            limit = getattr(self, field)
            if limit is not None and not 0 < limit < float("inf"):
                raise InputError(
                    f"the budget's {field} is {limit}, expected more than 0", do="leave it out, or raise it"
                )
        if not 50 <= self.percentile < 100:
            raise InputError(f"the budget's percentile is {self.percentile}, expected 50 to 99.9", do="95 is usual")

    @classmethod
    def of(
        cls,
        *,
        preset: str = "",
        fps: float | None = None,
        frame_ms: float | None = None,
        percentile: float = 95.0,
        first_frame_ms: float | None = None,
        size_mb: float | None = None,
        memory_mb: float | None = None,
    ) -> "PerformanceBudget":
        """A budget as users write it: a preset, limits that replace the preset's, and ``fps`` for ``1000 / frame_ms``.

        Raises:
            InputError: The preset is unknown, ``fps`` and ``frame_ms`` are both given, or a limit is not above 0.

        Example:
            >>> PerformanceBudget.of(preset="snap-lens", fps=60).frame_ms
            16.666666666666668
        """
        if preset and preset not in PRESETS:
            raise InputError(f"there is no budget preset {preset!r}", do=f"choose one of {', '.join(PRESETS)}")
        if fps is not None:
            if frame_ms is not None:
                raise InputError("fps and frame_ms are both given", do="give one: fps is 1000 / frame_ms")
            if not fps > 0:
                raise InputError(f"the budget's fps is {fps}, expected more than 0", do="leave it out, or raise it")
            frame_ms = 1000 / fps
        base = PRESETS[preset] if preset else cls()
        return replace(
            base,
            frame_ms=base.frame_ms if frame_ms is None else frame_ms,
            percentile=percentile,
            first_frame_ms=base.first_frame_ms if first_frame_ms is None else first_frame_ms,
            size_mb=base.size_mb if size_mb is None else size_mb,
            memory_mb=base.memory_mb if memory_mb is None else memory_mb,
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to judge."""
        return {self.frame_ms, self.first_frame_ms, self.size_mb, self.memory_mb} == {None}


PRESETS: dict[str, PerformanceBudget] = {
    "tiktok-effect": PerformanceBudget(
        size_mb=5.0,
        name="tiktok-effect",
        source="TikTok Effect House, technical optimisation guide: at most 5 MB a package on iOS and Android",
    ),
    "snap-lens": PerformanceBudget(
        frame_ms=1000 / 30,
        size_mb=8.0,
        memory_mb=150.0,
        name="snap-lens",
        source="Snap Lens Studio, performance guide: below 8 MB and 150 MB of memory, 30 frames a second",
    ),
    "youtube-shorts": PerformanceBudget(
        frame_ms=33.0,
        name="youtube-shorts",
        source="Google Research, 2025-08-21, real-time effects in YouTube Shorts: below 33 ms a frame",
    ),
}
"""Budgets from limits that platforms have published."""


@dataclass(frozen=True)
class BudgetVerdict:
    """One limit, judged on one case.

    Attributes:
        artifact: The artifact's id.
        runtime: The runtime that it was measured in.
        name: ``"frame_ms"``, ``"first_frame_ms"``, ``"size_mb"`` or ``"memory_mb"``.
        limit: As the budget has it.
        actual: What was measured, or None.
        verdict: ``"unstable"`` where another measurement might reverse it; ``"not measured"`` where the case is one
            that is never timed.
        reason: The figures that led to it, in words.
        setting: How the runtime was requested to play, in words:
            :attr:`ExecutionSettings.text <pocketlens.bench.result.ExecutionSettings.text>`.
    """

    artifact: str
    runtime: str
    name: str
    limit: float
    actual: float | None
    verdict: Verdict
    reason: str
    setting: str = ""

    @property
    def label(self) -> str:
        """The case's name, as its result has it."""
        return ", ".join(filter(None, (f"{self.artifact} in {self.runtime}", self.setting)))


LAST_SECONDS = 60.0
"""Of a sustained measurement the last minute is judged: it is what a user sees who keeps the filter on."""


def last_minute(result: CaseResult) -> CaseResult:
    """A result with only the blocks of its last minute."""
    if result.timing is None or not result.blocks:
        return result
    end_s = result.blocks[-1].at_s
    blocks = tuple(block for block in result.blocks if block.at_s > end_s - LAST_SECONDS)
    return replace(result, timing=replace(result.timing, blocks=blocks))


def judged_results(document: Document) -> tuple[CaseResult, ...]:
    """A document's results with the blocks that count: all, or of a sustained measurement those of the last minute."""
    return tuple(map(last_minute, document.results)) if document.settings.sustained else document.results


def judge(result: CaseResult, budget: PerformanceBudget) -> list[BudgetVerdict]:
    """The verdict of each limit of a budget on one case, in the order time, first frame, size, memory."""
    verdicts: list[BudgetVerdict] = []
    artifact, runtime = result.artifact.id, result.runtime.name

    def add(name: str, limit: float, judgement: tuple[float | None, Verdict, str]) -> None:
        verdicts.append(BudgetVerdict(artifact, runtime, name, limit, *judgement, result.requested.text))

    if budget.frame_ms is not None:
        add("frame_ms", budget.frame_ms, _judge_time(result, budget.frame_ms, budget.percentile))
    if budget.first_frame_ms is not None:
        add("first_frame_ms", budget.first_frame_ms, _judge_first_frame(result, budget.first_frame_ms))
    if budget.size_mb is not None:
        size = result.artifact.bytes / MB
        add("size_mb", budget.size_mb, (size, _within(size, budget.size_mb), f"{size:.2f} MB on disk"))
    if budget.memory_mb is not None:
        add("memory_mb", budget.memory_mb, _judge_memory(result, budget.memory_mb))
    return verdicts


def judge_all(document: Document, budget: PerformanceBudget) -> list[BudgetVerdict]:
    """The verdicts on every case of a document, in their order; of a sustained one on its last minute.

    Times of a device that was slowed down, or of a page that was hidden, are unstable: see :attr:`Document.doubt`.
    """
    verdicts = [verdict for result in judged_results(document) for verdict in judge(result, budget)]
    return [_doubted(verdict, document.doubt) for verdict in verdicts]


def _doubted(verdict: BudgetVerdict, doubt: str) -> BudgetVerdict:
    timed = verdict.name in ("frame_ms", "first_frame_ms") and verdict.actual is not None
    if not (doubt and timed and verdict.verdict in ("pass", "fail")):
        return verdict
    return replace(verdict, verdict="unstable", reason=f"{doubt}; {verdict.reason}")


def overall(verdicts: Iterable[BudgetVerdict]) -> Verdict:
    """The worst of several verdicts: fail, unstable, pass; ``"not measured"`` only if nothing else is there."""
    words = {verdict.verdict for verdict in verdicts}
    order: tuple[Verdict, ...] = ("fail", "unstable", "pass")
    return next((word for word in order if word in words), "not measured")


def _within(actual: float, limit: float) -> Verdict:
    return "pass" if actual <= limit else "fail"


def _unmeasured(result: CaseResult) -> tuple[None, Verdict, str] | None:
    if result.failure is not None:
        return None, "fail", result.failure
    if result.skipped is not None:
        return None, "not measured", f"not measured here: {result.skipped}"
    if result.runtime.emulated:
        return None, "not measured", "software stood in for the accelerator: neither time nor memory say anything of it"
    if result.runtime.interpreted:
        return (
            None,
            "not measured",
            f"not measured here: {result.runtime.name} interprets the artifact, its speed means nothing",
        )
    return None


def _judge_time(result: CaseResult, limit: float, rank: float) -> tuple[float | None, Verdict, str]:
    if unmeasured := _unmeasured(result):
        return unmeasured
    if not result.blocks:
        return None, "not measured", "no frame was timed"
    samples = statistics.frames(result.blocks)
    actual = statistics.percentile(samples, rank)
    low, high = statistics.bootstrap_interval(result.blocks, rank)
    figures = f"p{rank:g} {actual:.3g} ms, {statistics.CONFIDENCE:.0%} confidence interval {low:.3g} to {high:.3g} ms"
    if len(samples) < MIN_FRAMES:
        if float(samples.min()) > limit:
            return actual, "fail", f"each of {len(samples)} frames took longer"
        return actual, "unstable", f"only {len(samples)} frames were timed; p{rank:g} needs {MIN_FRAMES}"
    if low <= limit < high:
        return actual, "unstable", f"{figures}: the limit lies inside"
    first, second = (statistics.percentile(half, rank) for half in statistics.halves(result.blocks))
    if (first <= limit) != (second <= limit):
        return actual, "unstable", f"p{rank:g} was {first:.3g} ms in the first half and {second:.3g} ms in the second"
    return actual, _within(actual, limit), figures


def _judge_first_frame(result: CaseResult, limit: float) -> tuple[float | None, Verdict, str]:
    if unmeasured := _unmeasured(result):
        return unmeasured
    if result.timing is None:
        return None, "not measured", "no frame was timed"
    load, first = result.timing.load_ms, result.timing.first_ms
    return (
        load + first,
        _within(load + first, limit),
        f"{load:.3g} ms to load, then {first:.3g} ms",
    )


def _judge_memory(result: CaseResult, limit: float) -> tuple[float | None, Verdict, str]:
    if unmeasured := _unmeasured(result):
        return unmeasured
    if result.memory is None:
        return None, "not measured", "the device does not report it"
    added, memory = result.memory.added_mb, result.memory
    return (
        added,
        _within(added, limit),
        f"{memory.peak_mb:.0f} MB at its peak, {memory.baseline_mb:.0f} of them before the runtime was imported",
    )
