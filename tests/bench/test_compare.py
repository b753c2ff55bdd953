import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocketlens.bench.compare import HistoryPoint, compare, history, incomparable, latest, regressions, series
from pocketlens.bench.document import Document
from pocketlens.bench.plot_history import plot_history
from pocketlens.errors import InputError
from tests.bench.samples import at, blocks_of, noisy


def test_a_real_difference_is_found_with_its_interval() -> None:
    (ratio,) = compare(noisy(20, 1), noisy(30, 2))
    assert ratio.finding == "slower" and ratio.low < 1.5 < ratio.high and ratio.high - ratio.low < 0.2
    (back,) = compare(noisy(30, 2), noisy(20, 1))
    assert back.finding == "faster" and back.ratio == pytest.approx(1 / ratio.ratio)


def test_noise_is_no_difference() -> None:
    findings = [compare(noisy(20, seed), noisy(20, 100 + seed))[0].finding for seed in range(20)]
    assert findings.count("no difference") >= 17


def test_a_regression_is_one_whose_whole_interval_is_slower() -> None:
    ratios = compare(noisy(20, 1), noisy(23, 2))
    assert regressions(ratios, 0.05) == ratios and regressions(ratios, 0.3) == []
    assert regressions(compare(noisy(23, 1), noisy(20, 2)), 0.0) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (noisy(20, 2, picture="1" * 64), "different pictures"),
        (noisy(20, 2, compute_precision="bf16"), "precision fp32 and bf16"),
        (replace(noisy(20, 2), environment=replace(noisy(20, 2).environment, emulated=True)), "emulated"),
        (replace(noisy(20, 2), environment=replace(noisy(20, 2).environment, device="ssh://pi@x")), "devices differ"),
    ],
)
def test_unlike_things_are_refused_unless_told_to(changed: Document, message: str) -> None:
    base = noisy(20, 1)
    with pytest.raises(InputError, match=message):
        compare(base, changed)
    assert len(compare(base, changed, force=True)) == 1
    assert incomparable(base, noisy(20, 2)) == []


def test_documents_that_share_nothing() -> None:
    with pytest.raises(InputError, match="share no timed case"):
        compare(noisy(20, 1), noisy(20, 1, artifact="other"))


def test_a_history_pairs_the_newest_with_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    with pytest.raises(InputError, match="holds no documents"):
        history(folder)
    for day, mean in enumerate((20, 20, 30)):
        at(noisy(mean, day), f"2026-01-0{day + 1}T00:00:00Z").write(folder / f"{9 - day}.json")
    documents = history(folder)
    assert [document.environment.time[9] for document in documents] == ["1", "2", "3"]
    assert [round(p.p50, -1) for p in series(documents)["local: onnx-fp32-64x64 in onnxruntime"]] == [20, 20, 30]
    ((base, newest),) = latest(documents)
    assert (base.environment.time[9], newest.environment.time[9]) == ("2", "3")


def test_what_cannot_be_compared_is_passed_over_in_a_history() -> None:
    first = at(noisy(20, 1), "2026-01-01T00:00:00Z")
    other_artifact = at(noisy(20, 2, artifact="other"), "2026-01-02T00:00:00Z")
    other_filter = at(noisy(90, 3, picture="1" * 64), "2026-01-03T00:00:00Z")
    newest = at(noisy(21, 4), "2026-01-04T00:00:00Z")
    assert latest([first, other_artifact, other_filter, newest]) == [(first, newest)]
    assert latest([first, other_artifact]) == [] == latest([newest])
    assert latest([other_filter, newest]) == []
    assert latest([other_filter, newest], force=True) == [(other_filter, newest)]
    names = list(series([first, other_artifact, other_filter, newest]))
    assert len(names) == 3 and names[0].endswith("picture 000000") and names[2].endswith("picture 111111")


def test_a_round_of_200_000_frames_is_compared_in_little_memory() -> None:
    import resource

    from pocketlens.bench import statistics

    random = np.random.default_rng(0)
    blocks = blocks_of(random.normal(5, 0.5, 200_000).tolist())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    medians = statistics.resampled_percentiles(blocks, 50, 0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB
    assert abs(medians.mean() - 5) < 0.01 and 0 < medians.std() < 0.01


def test_the_plot_of_many_cases_names_some_and_says_so() -> None:
    points = [HistoryPoint("2026-01-01T00:00:00Z", 2.0, 1.9, 2.1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's, of a legend that leaves no room
        drawn = plot_history({f"case {i}": points for i in range(60)})
    assert "24 of 60 cases" in drawn
