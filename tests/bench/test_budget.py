import math
from dataclasses import replace

import numpy as np
import pytest

from pocketlens.bench.budget import PRESETS, PerformanceBudget, Verdict, judge, judge_all, last_minute, overall
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.result import Block, CaseResult, Memory
from pocketlens.errors import InputError
from tests.bench.samples import blocks_of, document, result


def verdict(timed: CaseResult, **limits: float) -> Verdict:
    (judged,) = judge(timed, PerformanceBudget.of(**limits))
    return judged.verdict


def around(center: float, noise: float = 0.1, count: int = 30) -> list[float]:
    return (center + np.random.default_rng(0).normal(0, noise, count)).tolist()


def test_clear_sides() -> None:
    steady = result(blocks_of(*[around(20)] * 8))
    assert verdict(steady, frame_ms=33.3) == "pass"
    assert verdict(steady, frame_ms=15) == "fail"
    assert verdict(steady, fps=30) == "pass"
    assert verdict(steady, fps=60) == "fail"


def test_a_limit_inside_the_interval_is_unstable() -> None:
    random = np.random.default_rng(3)
    noisy = result(blocks_of(*random.normal(20, 3, (10, 20)).tolist()))
    (judged,) = judge(noisy, PerformanceBudget.of(frame_ms=float(np.percentile(random.normal(20, 3, 5000), 95))))
    assert judged.verdict == "unstable"
    assert "confidence" in judged.reason


def test_halves_that_disagree_are_unstable_and_the_reason_says_so() -> None:
    # One slow round among many: the first half breaks the limit, the interval alone would let it pass.
    slow = [*around(20, count=18), 40.0, 40.0]
    timed = result(blocks_of(slow, *[around(20, count=20)] * 3, *[around(20, count=60)] * 8))
    (judged,) = judge(timed, PerformanceBudget.of(frame_ms=33, percentile=99))
    assert judged.verdict == "unstable"


def test_a_throttling_run_is_unstable_but_not_when_it_is_clearly_on_one_side() -> None:
    throttling = result(blocks_of(*[around(20 + 2 * i) for i in range(10)]))
    assert verdict(throttling, frame_ms=30) == "unstable"
    assert verdict(throttling, frame_ms=60) == "pass"
    assert verdict(throttling, frame_ms=10) == "fail"


def test_noise_far_from_the_limit_changes_nothing() -> None:
    noisy = result(blocks_of(*np.random.default_rng(4).lognormal(2, 0.8, (8, 30)).tolist()))
    assert verdict(noisy, frame_ms=1000) == "pass"
    assert verdict(noisy, frame_ms=1) == "fail"


def test_few_frames_never_pass() -> None:
    few = result(blocks_of(around(20, count=5)))
    assert verdict(few, frame_ms=33) == "unstable"
    assert verdict(few, frame_ms=10) == "fail"


def test_size_and_memory() -> None:
    measured = result(blocks_of(around(20)), bytes=4_000_000, memory=Memory(35.0, 185.0))
    assert verdict(measured, size_mb=4) == "pass"
    assert verdict(measured, size_mb=3.9) == "fail"
    assert verdict(measured, memory_mb=150) == "pass"
    assert verdict(measured, memory_mb=149) == "fail"


def test_the_first_frame_is_judged_with_the_loading_before_it() -> None:
    measured = result(blocks_of(around(20)))
    assert measured.timing is not None
    total = measured.timing.load_ms + measured.timing.first_ms
    assert verdict(measured, first_frame_ms=total) == "pass"
    assert verdict(measured, first_frame_ms=total * 0.99) == "fail"
    judged = judge(measured, PerformanceBudget.of(first_frame_ms=total))[0]
    assert judged.actual == total and "to load" in judged.reason


def test_an_interpreted_artifact_is_judged_by_its_size_alone() -> None:
    verdicts = judge(result(interpreted=True, runtime="mil"), PRESETS["snap-lens"])
    assert {judged.name: judged.verdict for judged in verdicts} == {
        "frame_ms": "not measured",
        "size_mb": "pass",
        "memory_mb": "not measured",
    }
    assert all("not measured here" in judged.reason for judged in verdicts if judged.verdict == "not measured")
    assert overall(verdicts) == "pass"


def test_a_failed_subject_fails_and_a_skipped_one_does_not() -> None:
    failed = judge(result(failure="killed by SIGKILL"), PerformanceBudget.of(fps=30))
    assert failed[0].verdict == "fail" and "SIGKILL" in failed[0].reason
    skipped = judge(result(skipped="litert is not installed"), PerformanceBudget.of(fps=30))
    assert skipped[0].verdict == "not measured" and "litert" in skipped[0].reason


def test_failure_beats_good_samples() -> None:
    assert verdict(result(blocks_of(*[around(20)] * 8), failure="the worker ended"), frame_ms=100) == "fail"


def test_overall_takes_the_worst() -> None:
    fast, slow = (result(blocks_of(*[around(t)] * 8), artifact=str(t)) for t in (20, 50))
    verdicts = judge_all(document(fast, slow), PerformanceBudget.of(fps=30))
    assert [judged.verdict for judged in verdicts] == ["pass", "fail"]
    assert [judged.artifact for judged in verdicts] == ["20", "50"]
    assert overall(verdicts) == "fail"
    assert overall([]) == "not measured"


def test_presets_say_where_they_come_from_and_can_be_overridden() -> None:
    assert all(preset.source and preset.name == name for name, preset in PRESETS.items())
    assert PRESETS["tiktok-effect"].size_mb == 5
    snap = PerformanceBudget.of(preset="snap-lens", size_mb=4, percentile=99)
    assert (snap.size_mb, snap.memory_mb, snap.percentile) == (4, 150, 99)
    assert snap.frame_ms == pytest.approx(33.333, abs=0.01)
    assert PerformanceBudget.of().empty and not snap.empty


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"preset": "snap"}, "tiktok-effect"),
        ({"fps": 30, "frame_ms": 33}, "fps and frame_ms"),
        ({"fps": 0}, "fps"),
        ({"fps": math.nan}, "fps"),
        ({"frame_ms": -1}, "frame_ms"),
        ({"frame_ms": math.inf}, "frame_ms"),
        ({"percentile": 100}, "percentile"),
        ({"size_mb": math.nan}, "size_mb"),
    ],
)
def test_wrong_budgets_are_refused(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(InputError, match=named):
        PerformanceBudget.of(**wrong)  # type: ignore[arg-type]


def heating(slow_from: float) -> Document:
    """Five minutes of a device that is at 20 ms until it throttles, and at 40 ms from then on."""
    blocks = tuple(Block(float(t), *((40.0 if t > slow_from else 20.0,) * 10,) * 2) for t in range(5, 301, 5))
    return replace(document(result(blocks)), settings=BenchmarkSettings(sustained=True))


@pytest.mark.parametrize(("slow_from", "verdict"), [(200, "fail"), (400, "pass"), (270, "unstable")])
def test_the_last_minute_is_judged(slow_from: float, verdict: str) -> None:
    heated = heating(slow_from)
    (judged,) = judge_all(heated, PerformanceBudget.of(fps=30))
    assert judged.verdict == verdict
    assert len(last_minute(heated.results[0]).blocks) == 12
    assert Document.from_json(heated.to_json()) == heated


def test_times_of_an_emulated_accelerator_decide_nothing() -> None:
    timed = result(blocks_of(*[around(20)] * 8))
    emulated = replace(timed, runtime=replace(timed.runtime, emulated=True))
    (judged,) = judge(emulated, PerformanceBudget.of(frame_ms=1))
    assert (judged.verdict, judged.actual) == ("not measured", None)
    assert "software stood in" in judged.reason
