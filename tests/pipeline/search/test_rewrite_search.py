"""Rewrites are kept where they are faster beyond the spread, and the choice is remembered with where it was made."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import pocketlens
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.result import (
    Block,
    CaseResult,
    CaseTiming,
    ExecutionSettings,
    MeasuredArtifact,
    MeasuredRuntime,
    Memory,
)
from pocketlens.bench.statistics import paired_ratio
from pocketlens.converters import graph as hub
from pocketlens.converters.rewrites import registry
from pocketlens.errors import InputError
from pocketlens.pipeline.commands.optimize import optimize
from pocketlens.pipeline.search import rewrite_search, rewrite_trials
from pocketlens.pipeline.search.rewrite_trials import LEAST_PAIRS, compare, parse
from pocketlens.targets import TARGETS
from tests.generators import seeded, small_graph

QUICK = BenchmarkSettings(seconds=0.02, count=4, block_seconds=0.001, block_count=1, warm_seconds=0.02)


def timed(*medians: float) -> CaseResult:
    blocks = tuple(Block(float(i), (ms, ms * 1.01, ms * 0.99), (ms, ms, ms)) for i, ms in enumerate(medians))
    return CaseResult(
        artifact=MeasuredArtifact("a", "onnx", "fp32", (32, 48), 1),
        runtime=MeasuredRuntime("onnxruntime", "1"),
        picture="0" * 64,
        requested=ExecutionSettings(1),
        effective=ExecutionSettings(1, compute_precision="fp32"),
        timing=CaseTiming(1.0, 1.0, 3, True, blocks),
        memory=Memory(1.0, 2.0),
    )


def test_pairs_of_rounds_cancel_what_slows_both() -> None:
    """The machine is half as fast in the second half: the ratio does not see it."""
    before, after = timed(20, 20, 20, 40, 40, 40), timed(16, 16, 16, 32, 32, 32)
    assert paired_ratio(before.blocks, after.blocks) == pytest.approx((1.25, 1.25, 1.25))
    ratio, low, high = paired_ratio(timed(20, 24, 18, 22).blocks, timed(20, 20, 20, 20).blocks)
    assert low < ratio < high and low == pytest.approx(0.9) and high == pytest.approx(1.2)


def test_only_what_is_faster_beyond_the_spread_is_kept() -> None:
    slow, fast, noisy = timed(*[20] * 6), timed(*[15] * 6), timed(12, 26, 14, 25, 11, 24)
    assert compare("onnx", "a", ("a",), [slow], [fast]).kept
    assert not compare("onnx", "a", ("a",), [fast], [slow]).kept
    assert not compare("onnx", "a", ("a",), [slow], [noisy]).kept, "its median is lower, its spread is not"
    assert not compare("onnx", "a", ("a",), [slow], [timed(*[19.9] * 6)]).kept, "half a percent is no gain"
    assert not compare("onnx", "a", ("a",), [slow, slow], [fast, slow]).kept, "another process did not agree"
    failed = replace(fast, failure="the picture is wrong")
    assert compare("onnx", "a", ("a",), [slow], [failed]).note == "the picture is wrong"
    assert compare("onnx", "a", ("a",), [timed(20)], [timed(10)]).note == "too few rounds"


@pytest.fixture()
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(rewrite_search, "SETTINGS", replace(QUICK, min_blocks=LEAST_PAIRS))
    monkeypatch.setattr(rewrite_search, "PROCESSES", 1)
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    hub.save(small_graph(), tmp_path / "small.onnx")
    return str(tmp_path / "small.onnx")


def test_every_rewrite_is_tried_where_it_changes_something(model: str, tmp_path: Path) -> None:
    found = optimize(model, ["onnx", "coreml"], tmp_path / "out", size=(32, 48), threads=1)
    onnx, coreml = found.choices
    tried = {trial.rewrite: trial for trial in onnx.trials}
    assert set(registry.REWRITES) <= {name for label in tried for name in label.split("+")}, "each has its line"
    sub_pixel = tried["sub-pixel-conv"]
    assert sub_pixel.before_ms is not None and sub_pixel.after_ms is not None and sub_pixel.ratio is not None
    assert tried["pack-thin-conv"].note == "changes nothing", "the only thin convolution here is 5 x 5 on 8 channels"
    assert onnx.device == "local" and onnx.cpu and onnx.time
    assert coreml.names == TARGETS["coreml"].rewrites and not coreml.device
    assert "mil" in coreml.trials[0].note
    written = {one.spec.target: one for one in found.artifacts}
    assert set(written["onnx"].rewrites) <= set(onnx.names) and written["onnx"].path.is_file()


def test_a_choice_is_measured_once(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = lambda document: ""  # noqa: E731 - whatever else this machine is doing
    monkeypatch.setattr("pocketlens.bench.document.Environment.disturbed", property(calm))
    first = optimize(model, ["onnx"], size=(32, 48), threads=1)
    monkeypatch.setattr(rewrite_search, "measure", lambda *a, **k: pytest.fail("it was measured again"))
    assert optimize(model, ["onnx"], size=(32, 48), threads=1) == first
    assert parse(first.choices[0].to_json()) == first.choices[0]


def test_a_busy_machine_is_not_remembered(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketlens.bench.document.Environment.disturbed", property(lambda document: "it was busy"))
    optimize(model, ["onnx"], size=(32, 48), threads=1)
    again: list[int] = []
    work = rewrite_search.measure
    monkeypatch.setattr(rewrite_search, "measure", lambda *a, **k: again.append(1) or work(*a, **k))
    optimize(model, ["onnx"], size=(32, 48), threads=1)
    assert again, "a choice that noise may have made is measured again"


def test_what_wins_is_built(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are given here, so that the win is certain; files, pictures and the bundle are real."""

    def given(
        target: str, rewrite: str, names: tuple[str, ...], before: object, after: object
    ) -> rewrite_trials.RewriteTrial:
        wins = names == ("sub-pixel-conv",)
        return rewrite_trials.RewriteTrial(target, rewrite, names, 20.0, 10.0 if wins else 30.0, 2.0, 1.9, 2.1, wins)

    monkeypatch.setattr(rewrite_search, "compare", given)
    recipe = tmp_path / "small.toml"
    recipe.write_text(
        'rewrites = "auto"\n[filter]\nname = "small"\nsizes = [[32, 48]]\n'
        '[targets]\nonnx = ["fp32"]\ncoreml = ["fp16"]\n'
    )
    made = pocketlens.build(recipe, tmp_path / "small.bundle", generator=seeded(), bench=False)
    onnx, coreml = made.manifest.artifacts
    assert onnx.rewrites == ("sub-pixel-conv",) and coreml.target == "coreml"
    assert made.rewrite_choices[0].names == ("sub-pixel-conv",)
    table = json.loads((made.path / "measurements/rewrites.json").read_text())
    assert next(t["rewrite"] for t in table["onnx"]["trials"] if t["kept"]) == "sub-pixel-conv"


def test_fewer_bits_are_timed_and_written_as_such(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[Path] = []
    work = rewrite_search.measure

    def measured(subjects: list[BenchmarkCase], *arguments: object, **options: object) -> object:
        played.extend(subject.path for subject in subjects)
        return work(subjects, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rewrite_search, "measure", measured)
    found = optimize(model, ["onnx"], tmp_path / "out", precision="int8", size=(32, 48), threads=1)
    (made,) = found.artifacts
    assert made.spec.precision == "int8" and made.plan is not None and played
    for path in (made.path, *played):
        assert any(node.op_type == "QuantizeLinear" for node in hub.load(path).graph), path


def test_precisions_are_checked_first() -> None:
    with pytest.raises(InputError, match="no precision"):
        optimize("builtin:cartoon", ["onnx"], precision="int3")
