import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.bench import statistics
from tests.bench.samples import blocks_of

times = st.floats(0.01, 1000, allow_nan=False)
blocks = st.lists(st.lists(times, min_size=1, max_size=20), min_size=1, max_size=12)


def test_known_case() -> None:
    summary = statistics.summarize(blocks_of([1, 2], [3, 4, 10]))
    assert (summary.count, summary.mean, summary.p50, summary.fastest, summary.slowest) == (5, 4.0, 3.0, 1.0, 10.0)
    assert summary.mad == 1.0
    assert summary.spread == pytest.approx(1.4826 / 3)
    assert summary.fps == pytest.approx(1000 / 3)
    assert summary.p90 == pytest.approx(7.6)
    assert summary.drift == pytest.approx(4 / 1.5 - 1)


@given(blocks)
def test_figures_agree_with_numpy_and_are_ordered(times_ms: list[list[float]]) -> None:
    summary, flat = statistics.summarize(blocks_of(*times_ms)), np.concatenate([np.array(block) for block in times_ms])
    for rank, value in ((50, summary.p50), (90, summary.p90), (95, summary.p95), (99, summary.p99)):
        assert value == pytest.approx(np.percentile(flat, rank))
    assert summary.fastest <= summary.p50 <= summary.p90 <= summary.p95 <= summary.p99 <= summary.slowest
    assert 0 <= summary.mad <= summary.slowest - summary.fastest


@given(blocks, st.floats(0.1, 10))
def test_a_slower_clock_scales_times_and_leaves_shares(times_ms: list[list[float]], factor: float) -> None:
    summary = statistics.summarize(blocks_of(*times_ms))
    other = statistics.summarize(blocks_of(*[[t * factor for t in block] for block in times_ms]))
    assert other.p95 == pytest.approx(summary.p95 * factor)
    assert other.spread == pytest.approx(summary.spread, abs=1e-9)
    assert other.drift == pytest.approx(summary.drift, abs=1e-9)


@given(blocks)
def test_halves_hold_every_sample_of_several_blocks_once(times_ms: list[list[float]]) -> None:
    first, second = statistics.halves(blocks_of(*times_ms))
    assert len(first) and len(second)
    if len(times_ms) > 1:
        assert np.array_equal(np.concatenate([first, second]), statistics.frames(blocks_of(*times_ms)))


@settings(max_examples=25)
@given(blocks)
def test_interval_is_ordered_inside_the_samples_and_repeatable(times_ms: list[list[float]]) -> None:
    timed = blocks_of(*times_ms)
    low, high = statistics.bootstrap_interval(timed)
    flat = statistics.frames(timed)
    assert flat.min() <= low <= high <= flat.max() + 1e-9
    assert (low, high) == statistics.bootstrap_interval(timed)


def test_every_resample_is_numpys_percentile_of_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 1)
    blocks = [np.random.default_rng(i).lognormal(1, 1, 3 + i % 4) for i in range(9)]
    for seed in range(20):
        resample = np.random.default_rng(seed).integers(0, 9, 9)
        expected = np.percentile(np.concatenate([blocks[i] for i in resample]), 95)
        low, high = statistics.bootstrap_interval(blocks_of(*blocks), 95, seed)
        assert low == high == pytest.approx(expected)


def test_interval_covers_the_true_percentile_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    truth = float(np.exp(2 + 0.2 * 1.6448536))  # the 95th percentile of this log-normal distribution
    held = 0
    for _ in range(60):
        low, high = statistics.bootstrap_interval(blocks_of(*np.exp(random.normal(2, 0.2, (20, 25))).tolist()))
        held += low <= truth <= high
    assert held >= 51


def test_blocks_that_differ_widen_the_interval() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(0, 0.1, (10, 30))
    calm = statistics.bootstrap_interval(blocks_of(*(20 + noise).tolist()))
    bursts = 20 + noise + np.where(np.arange(10) == 4, 5, 0)[:, None]
    disturbed = statistics.bootstrap_interval(blocks_of(*bursts.tolist()))
    assert disturbed[1] - disturbed[0] > 10 * (calm[1] - calm[0])
