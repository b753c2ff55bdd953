"""Where fewer bits miss the gate, layers go back to float: ranked on the graph, built and judged as real artifacts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import pocketlens
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bundle.manifest import GateResult as Judged
from pocketlens.converters import graph as hub
from pocketlens.converters.quantization import sensitivity
from pocketlens.converters.quantization.plan import Plan, PlanRule
from pocketlens.converters.quantization.quantize import calibrate_graph
from pocketlens.pipeline.commands.quantize import quantize
from pocketlens.pipeline.search import pareto_page
from pocketlens.pipeline.search.pareto import ParetoFront, ParetoPoint, choose, parse
from pocketlens.pipeline.search.rewrite_search import Timing
from pocketlens.quality import Scores
from pocketlens.recipe import Gate
from pocketlens.targets import TARGETS
from tests.generators import picture, seeded, small_graph

QUICK = Timing(settings=BenchmarkSettings(seconds=0.02, count=4, block_seconds=0.001, block_count=1, warm_seconds=0.02))
ALONE = Plan((PlanRule("", "int8"),))


def point(kept: int, psnr: float, ms: float | None, size: int, passes: bool) -> ParetoPoint:
    gate = Judged("psnr", 38.0, psnr, "pass" if passes else "fail")
    return ParetoPoint(ALONE, kept, 4, "float", None, Scores(psnr, 0.99, 3.0), None, (gate,), size, ms)


def front(*points: ParetoPoint, twin: float | None = 10.0) -> ParetoFront:
    made = ParetoFront("onnx", "int8", (32, 48), "PSNR of at least 38 dB", points, baseline_ms=twin, baseline_bytes=90)
    return replace(made, chosen=choose(made))


def test_the_fastest_plan_that_passes_ships_and_says_what_it_costs() -> None:
    found = front(point(0, 27.0, 4.0, 20, False), point(1, 38.2, 5.0, 30, True), point(3, 50.0, 8.1, 60, True))
    assert found.ships is found.points[1]
    assert found.non_dominated == (0, 1, 2)
    assert found.text.startswith("onnx-int8-32x48: 1 of 4 convs in float: +11.2 dB, +1.0 ms; 5.0 ms, fp32 10.0 ms")
    beaten = front(point(0, 27.0, 4.0, 20, False), point(1, 38.2, 5.0, 30, True), point(3, 37.0, 8.1, 60, False))
    assert beaten.non_dominated == (0, 1)


def test_where_nothing_is_faster_than_float_the_smallest_ships() -> None:
    found = front(point(0, 27.0, 14.0, 20, False), point(1, 38.2, 13.0, 30, True), point(3, 50.0, 10.5, 60, True))
    assert found.ships is found.points[1]
    assert "low-bit weights and activations are not faster here" in found.text
    untimed = front(point(0, 27.0, None, 20, False), point(2, 39.0, None, 40, True), twin=None)
    assert untimed.ships is untimed.points[1] and not untimed.timed and untimed.non_dominated == (0, 1)


def test_where_layers_are_kept_in_16_bits_the_fewest_ship() -> None:
    """Their weights take the same bytes, and the compiler of an NPU rounds up what a file takes."""
    points = (point(0, 29.4, None, 2054, False), point(4, 40.5, None, 2074, True), point(9, 44.1, None, 2070, True))
    found = front(*(replace(each, setting="int8-a16") for each in points), twin=None)
    assert (found.ships, found.cost_unit, found.non_dominated) == (found.points[1], "convs", (0, 1, 2))
    assert "16 bits" in pareto_page.pareto_plot(found).cost_label


def test_a_gate_that_nothing_reaches_refuses_the_artifact() -> None:
    found = front(point(0, 27.0, 4.0, 20, False), point(3, 36.5, 8.0, 60, False))
    assert found.ships is None
    assert found.text == (
        "onnx-int8-32x48 is refused: none of 2 plans reaches PSNR of at least 38 dB: the best, 3 of 4 convs in float: "
        "+9.5 dB, +4.0 ms, reaches 36.5 dB and SSIM 0.9900"
    )
    assert parse(found.to_json()) == found


def test_errors_of_layers_add_up_and_rank_them() -> None:
    pictures = [picture(32, 48, seed) for seed in (1, 2)]
    calibrated = calibrate_graph(small_graph(), Plan(), pictures, TARGETS["openvino"].quantizers)
    order = sensitivity.rank_layers(calibrated.model, calibrated.apply_plan, Plan(), pictures)
    assert [layer.urgency for layer in order] == sorted((layer.urgency for layer in order), reverse=True)
    assert {name for layer in order for name in layer.names} == {
        "/down/Conv_output_0_conv",
        "/middle/middle.0/Conv",
        "/up/ConvTranspose",
        "/last/Conv",
    }
    from pocketlens.converters.quantization.simulate import simulate

    references = simulate(calibrated.model, pictures)
    whole = sensitivity.mean_squared_error(simulate(calibrated.apply_plan(Plan()), pictures), references)
    assert sum(layer.error for layer in order) == pytest.approx(whole, rel=0.5)
    kept = sensitivity.keep_layers(Plan(), order[:1])
    less = sensitivity.mean_squared_error(simulate(calibrated.apply_plan(kept), pictures), references)
    assert less < whole - order[0].error / 2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "small.onnx"
    hub.save(small_graph(), path)
    return str(path)


@pytest.mark.parametrize("target", ["onnx", "openvino", "tflite"])
def test_real_artifacts_are_built_judged_and_timed(target: str, model: str, tmp_path: Path) -> None:
    told: list[str] = []
    (asked,) = quantize(model, [target], gate=Gate(psnr=20), size=(32, 48), points=1).fronts
    limit = asked.points[0].scores.psnr + 0.5  # pixels are whole numbers: nothing exceeds 59 dB
    found = quantize(
        model, [target], tmp_path, gate=Gate(psnr=limit), size=(32, 48), points=4, timing=QUICK,
        notify=lambda what, done, total: told.append(what),
    )  # fmt: skip
    (front,) = found.fronts
    assert front.points[0].kept == 0 and not front.points[0].passes, front.text
    assert front.ships is not None and front.ships.kept > 0, front.text
    assert front.ships.scores.psnr >= limit and front.ships.ms > 0 and front.baseline_ms > 0
    assert f"of {front.ships.of} convs in {front.ships.setting}: +" in front.text
    (artifact,) = found.artifacts
    assert artifact.plan == front.ships.plan and artifact.verification.worst == front.ships.scores
    assert found.plot.read_bytes().startswith(b"\x89PNG")
    assert any("timing" in what for what in told)
    again = quantize(model, [target], gate=Gate(psnr=limit), size=(32, 48), points=4, timing=QUICK)
    assert again.fronts == found.fronts or front.disturbed


RECIPE = """
[filter]
name = "small"
sizes = [[32, 48], [48, 32]]
[targets]
onnx = ["int8"]
openvino = ["int8"]
[gate]
psnr = {psnr}
[quantize]
search = {search}
"""


def test_a_build_falls_back_and_tells_how(model: str, tmp_path: Path) -> None:
    found = quantize(model, ["onnx", "openvino"], gate=Gate(psnr=20), size=(32, 48), points=1)
    limit = max(front.points[0].scores.psnr for front in found.fronts) + 0.5
    (tmp_path / "small.toml").write_text(RECIPE.format(search="true", psnr=limit))
    made = pocketlens.build(tmp_path / "small.toml", tmp_path / "a.bundle", generator=seeded(), bench=False)
    first = {artifact.target: artifact.plan for artifact in made.manifest.artifacts if artifact.height == 32}
    for artifact in made.manifest.artifacts:
        assert artifact.verdict == "pass", "where the first size's plan misses the gate, another one is sought"
        rules, firsts = artifact.plan.rules, first[artifact.target].rules
        assert rules[0].setting == "int8" and len(firsts) > 1
        assert rules[: len(firsts)] == firsts, "the plan of the first size, and where it misses the gate more rules"
    document = json.loads((made.path / "measurements/plans.json").read_text())
    assert document["openvino-int8-32x48"]["chosen"] >= 1
    report = (made.path / "report.html").read_text()
    assert "Plans of openvino-int8-32x48" in report and "convs in" in report
    (tmp_path / "small.toml").write_text(RECIPE.format(search="false", psnr=limit))
    plain = pocketlens.build(tmp_path / "small.toml", tmp_path / "b.bundle", generator=seeded(), bench=False)
    assert plain.verdict == "fail" and not plain.fronts
    assert all(len(artifact.plan.rules) == 1 for artifact in plain.manifest.artifacts)


def test_a_front_is_drawn_with_the_numbers_of_its_table(tmp_path: Path) -> None:
    found = front(point(0, 27.0, 4.0, 20, False), point(1, 38.2, 5.0, 30, True))
    shown = pareto_page.section(found)
    assert shown.rows[1][:3] == ("2", "1 of 4 in float", "38.2") and shown.rows[-1][1] == "fp32"
    assert "var(--accent)" in shown.plot[1] and ">2</text>" in shown.plot[1]
    pareto_page.draw([found], tmp_path / "front.svg")
    assert "#2f5fd0" in (tmp_path / "front.svg").read_text()
