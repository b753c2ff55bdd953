"""Equalization, ranges and bias correction stay only where they measure better."""

import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization.plan import Plan, candidates
from pocketlens.converters.quantization.settings import (
    CHOICES,
    MAX_PICTURES,
    MIN_GAIN_DB,
    _every_nth,
    choose_settings,
    settings_sentence,
)
from pocketlens.targets import TARGETS
from tests.generators import picture, small_graph

PICTURES = [picture(32, 48, seed) for seed in (1, 2, 3)]


def test_a_value_is_kept_unless_another_is_clearly_better() -> None:
    plan, trials = choose_settings(small_graph(), Plan(), PICTURES, TARGETS["openvino"].quantizers)
    assert [trial.setting for trial in trials] == [name for name, (_, *more) in CHOICES.items() for _ in more]
    for name, (nothing, usual, *_) in CHOICES.items():
        gained = {trial.value: trial.gained for trial in trials if trial.setting == name} | {str(nothing): 0.0}
        kept = [trial for trial in trials if trial.setting == name and trial.kept]
        assert len(kept) == (getattr(plan, name) != nothing)
        best, ours = max(gained.values()), gained[str(getattr(plan, name))]
        assert ours == best if getattr(plan, name) != usual else ours >= best - MIN_GAIN_DB - 0.01
    assert plan.rules == Plan().rules


def test_ranges_that_cut_off_what_a_style_lives_on_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketlens.converters.quantization.calibrate.PERCENTILE", 60.0)
    monkeypatch.setattr(
        "pocketlens.converters.quantization.recorded._recorded", {}
    )  # with ranges of the real percentile
    monkeypatch.setitem(CHOICES, "ranges", ("minmax", "percentile"))
    plan, trials = choose_settings(
        small_graph(), Plan(), PICTURES, TARGETS["openvino"].quantizers, fixed=["equalize", "correct_bias"]
    )
    (cut,) = trials
    assert plan.ranges == "minmax" and cut.gained < -MIN_GAIN_DB and not cut.kept
    assert settings_sentence(trials).startswith("not ranges percentile (-")


def test_what_somebody_decided_is_left_alone() -> None:
    wanted = Plan(equalize=0.25, correct_bias=True)
    plan, trials = choose_settings(
        small_graph(), wanted, PICTURES, TARGETS["openvino"].quantizers, fixed=["equalize", "correct_bias"]
    )
    assert plan.equalize == 0.25 and plan.correct_bias
    assert {trial.setting for trial in trials} == {"ranges"}


def test_a_quiet_channel_beside_a_loud_one_is_evened_out() -> None:
    """That is what equalization is for: here it must gain, and where channels are alike already it must not be kept for
    nothing.
    """
    graph = small_graph()
    node = candidates(graph)[1]
    weight = constant(node.inputs[1]).copy()
    norm = next(n for n in graph.graph if n.op_type == "InstanceNormalization")
    scale = constant(norm.inputs[1]).copy()
    scale[0] *= 60
    norm.replace_input_with(1, hub.add_constant(graph, "loud", scale))
    weight[:, 0] /= 60
    node.replace_input_with(1, hub.add_constant(graph, "quiet", weight))
    plan, trials = choose_settings(graph, Plan(), PICTURES, TARGETS["openvino"].quantizers)
    assert plan.equalize > 0, settings_sentence(trials)
    assert next(t.gained for t in trials if t.kept) > 1


def test_pictures_are_taken_evenly() -> None:
    assert len(_every_nth(PICTURES)) == 3
    assert len(_every_nth(PICTURES * 100)) <= MAX_PICTURES
