"""One plan on the graph: what is quantized, what it costs, and that equalization alone changes no pixel."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import equalize as evening
from pocketlens.converters.quantization import insert
from pocketlens.converters.quantization.calibrate import calibrate
from pocketlens.converters.quantization.plan import (
    Plan,
    Rule,
    candidates,
    check_rules,
    default_plan,
    rules_for_few_inputs,
)
from pocketlens.converters.quantization.qparams import (
    ActivationQParams,
    choose_qparams_absmax,
    choose_qparams_affine,
    quantize_affine,
)
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models.export import export
from pocketlens.quality import psnr
from pocketlens.targets import TARGETS
from tests.generators import fast_style, picture, seeded, small_graph

CALIBRATE = [picture(32, 48, seed) for seed in (1, 2, 3)]
JUDGE = [picture(32, 48, seed) for seed in (7, 8)]
WAVE = Path(__file__).parents[3] / "../shared/data/fast_style/wave.npz"


def worst(model: ir.Model, reference: ir.Model) -> float:
    return min(psnr(a, b) for a, b in zip(simulate(reference, JUDGE), simulate(model, JUDGE), strict=True))


def operators(model: ir.Model) -> dict[str, int]:
    names = [node.op_type for node in model.graph]
    return {name: names.count(name) for name in names}


@pytest.mark.parametrize("target", ["openvino", "onnx", "tflite"])
def test_int8_stays_close_and_the_graph_is_not_changed(target: str) -> None:
    graph = small_graph()
    before = ir.to_proto(graph).SerializeToString(deterministic=True)
    made = quantize(graph, default_plan("int8"), CALIBRATE, TARGETS[target].quantizers)
    assert ir.to_proto(graph).SerializeToString(deterministic=True) == before
    hub.check(made)
    assert operators(made)["DynamicQuantizeLinear" if target == "tflite" else "QuantizeLinear"] >= 4
    assert 30 < worst(made, graph) < 80


def test_sixteen_bit_activations_lose_less_than_eight() -> None:
    graph = small_graph()
    eight, sixteen = (
        worst(quantize(graph, default_plan(p), CALIBRATE, TARGETS["onnx"].quantizers), graph)
        for p in ("int8", "int8-a16")
    )
    assert sixteen > eight


def test_the_last_rule_that_matches_wins() -> None:
    graph = small_graph()
    plan = Plan((Rule("", "int8"), Rule("last|up", "float"), Rule("up", "int8-a16")))
    made = quantize(graph, plan, CALIBRATE, TARGETS["openvino"].quantizers)
    rounded = [n for n in made.graph if n.op_type == "QuantizeLinear"]
    kinds = sorted(str(constant(n.inputs[2]).dtype) for n in rounded)
    assert kinds == ["uint16", "uint8", "uint8"]
    assert Plan.from_json(plan.to_json()) == plan
    none = quantize(graph, plan.keeping([""]), CALIBRATE, TARGETS["openvino"].quantizers)
    assert "QuantizeLinear" not in operators(none)


def test_litert_keeps_convolutions_of_few_channels_in_float() -> None:
    graph = small_graph()
    (rule,) = rules_for_few_inputs(graph, 8, "int8")
    (first,) = [node for node in candidates(graph) if rule.fits(node)]
    assert hub.static_shape(first.inputs[1])[1] == 3
    assert not rules_for_few_inputs(graph, 0, "int8") and not rules_for_few_inputs(graph, 8, "w8")


def test_rules_are_checked() -> None:
    for rule in (("(", "int8"), ("", "int4")):
        with pytest.raises(InputError):
            Rule(*rule)
    with pytest.raises(InputError, match="matches no convolution"):
        check_rules(small_graph(), [Rule("lats", "float")])


def test_equalization_changes_no_pixel_and_makes_ranges_alike() -> None:
    graph = small_graph()
    names = evening.values_to_calibrate(graph)
    found = calibrate(graph, names, CALIBRATE, histograms=False)
    even = graph.clone()
    assert evening.equalize(even, found) >= 2
    assert worst(even, graph) > 100
    after = calibrate(even, names, CALIBRATE, histograms=False)
    spreads = [
        [np.maximum(-s.low, s.high).max() / np.maximum(-s.low, s.high).clip(1e-9).min() for s in stats.values()]
        for stats in (found, after)
    ]
    assert max(spreads[1]) < max(spreads[0])


def test_even_outputs_in_front_of_norms_change_no_pixel() -> None:
    graph = small_graph()
    names = [str(n.outputs[0].name) for n in candidates(graph)]
    even = graph.clone()
    assert evening.equalize_conv_outputs(even, calibrate(graph, names, CALIBRATE, histograms=False), names) == 1
    assert worst(even, graph) > 60
    normed = next(n for n in even.graph if n.op_type == "InstanceNormalization").inputs[0].name
    after = calibrate(even, names, CALIBRATE, histograms=False)[normed]
    assert np.allclose(after.low, -after.high, rtol=1e-3, atol=1e-3), "ranges lie around 0"
    assert np.allclose(after.high, after.high[0], rtol=1e-3), "and are alike"


def test_what_training_decided_is_taken_as_it_is() -> None:
    trained = quantize(small_graph(), default_plan("int8"), CALIBRATE, TARGETS["openvino"].quantizers)
    again = quantize(trained, default_plan("int8-a16"), CALIBRATE, TARGETS["openvino"].quantizers)
    assert ir.to_proto(again).SerializeToString(deterministic=True) == ir.to_proto(trained).SerializeToString(
        deterministic=True
    )


def test_nan_and_constant_activations_name_their_node() -> None:
    graph = small_graph()
    for number, words in ((np.nan, "NaN or infinity"), (0.0, "everywhere")):
        broken = graph.clone()
        node = candidates(broken)[1]
        weight = constant(node.inputs[1])
        wrong = np.full_like(weight, number)
        node.replace_input_with(1, hub.add_constant(broken, "wrong", wrong))
        if len(node.inputs) > 2:
            node.replace_input_with(2, hub.add_constant(broken, "wrong_bias", np.zeros(len(weight), np.float32)))
        with pytest.raises(InputError, match=words) as caught:
            quantize(broken, Plan(equalize=0), CALIBRATE, TARGETS["onnx"].quantizers)
        assert node.name in str(caught.value) or "Relu" in str(caught.value)


def test_memory_is_bounded_by_playing_values_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small_graph()
    names = insert.values_to_calibrate(graph, default_plan("int8"), TARGETS["onnx"].quantizers)
    at_once = calibrate(graph, names, CALIBRATE)
    monkeypatch.setattr("pocketlens.converters.quantization.calibrate.MAX_BYTES", 1)
    in_turn = calibrate(graph, names, CALIBRATE)
    assert at_once.keys() == in_turn.keys()
    for name in at_once:
        assert at_once[name].range("mse") == in_turn[name].range("mse")


def test_pixels_are_integers_and_lose_nothing() -> None:
    assert choose_qparams_affine(0.0, 255.0, 8) == ActivationQParams(1.0, 0, 8)
    graph = export(seeded(), 32, 48, Ranges((0.0, 255.0), (-1.0, 1.0)))
    made = quantize(graph, default_plan("int8"), CALIBRATE, TARGETS["openvino"].quantizers)
    first = next(n for n in made.graph if n.op_type == "QuantizeLinear" and n.inputs[0].name == hub.INPUT)
    assert float(constant(first.inputs[1])) == 1.0


def test_pairs_of_weights_fit_sixteen_bits() -> None:
    weight = np.random.default_rng(0).normal(0, 1, (5, 6, 3, 3)).astype(np.float32)
    scale = choose_qparams_absmax(weight, 0, pair_sums=True)
    integers = quantize_affine(weight, scale, 0).transpose(0, 2, 3, 1).reshape(5, -1, 2).astype(int)
    assert np.abs(integers.sum(2)).max() <= 129
    assert (scale >= choose_qparams_absmax(weight, 0, pair_sums=False)).all()


@pytest.mark.skipif(not WAVE.exists(), reason="needs ../shared/data")
def test_a_trained_filter_keeps_its_picture() -> None:
    graph = export(fast_style(WAVE), 64, 64, Ranges((0.0, 255.0), (0.0, 255.0)))
    pictures = [picture(64, 64, seed) for seed in (1, 2, 3, 4)]
    made = quantize(graph, default_plan("int8"), pictures[:3], TARGETS["openvino"].quantizers)
    (ours,), (teacher,) = simulate(made, pictures[3:]), simulate(graph, pictures[3:])
    assert psnr(teacher, ours) > 34
