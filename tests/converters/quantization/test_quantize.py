"""One plan on the graph: what is quantized, and what it costs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization.plan import (
    Plan,
    PlanRule,
    candidates,
    default_plan,
)
from pocketlens.converters.quantization.qparams import (
    ActivationQParams,
    choose_qparams_affine,
)
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models.export import export
from pocketlens.quality import psnr
from pocketlens.targets import TARGETS
from tests.converters.quantization.scoring import worst
from tests.generators import fast_style, picture, seeded, small_graph

CALIBRATE = [picture(32, 48, seed) for seed in (1, 2, 3)]


WAVE = Path(__file__).parents[3] / "../shared/data/fast_style/wave.npz"


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
    rounded = replace(TARGETS["onnx"].quantizers, products=False)  # products of matrices round no outputs in 8 bits
    eight, sixteen = (worst(quantize(graph, default_plan(p), CALIBRATE, rounded), graph) for p in ("int8", "int8-a16"))
    assert sixteen > eight


def test_the_last_rule_that_matches_wins() -> None:
    graph = small_graph()
    plan = Plan((PlanRule("", "int8"), PlanRule("last|up", "float"), PlanRule("up", "int8-a16")))
    made = quantize(graph, plan, CALIBRATE, TARGETS["openvino"].quantizers)
    rounded = [n for n in made.graph if n.op_type == "QuantizeLinear"]
    kinds = sorted(str(constant(n.inputs[2]).dtype) for n in rounded)
    assert kinds == ["uint16", "uint8", "uint8"]
    assert Plan.from_json(plan.to_json()) == plan
    none = quantize(graph, plan.keeping([""]), CALIBRATE, TARGETS["openvino"].quantizers)
    assert "QuantizeLinear" not in operators(none)


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


def test_pixels_are_integers_and_lose_nothing() -> None:
    assert choose_qparams_affine(0.0, 255.0, 8) == ActivationQParams(1.0, 0, 8)
    graph = export(seeded(), 32, 48, Ranges((0.0, 255.0), (-1.0, 1.0)))
    made = quantize(graph, default_plan("int8"), CALIBRATE, TARGETS["openvino"].quantizers)
    first = next(n for n in made.graph if n.op_type == "QuantizeLinear" and n.inputs[0].name == hub.INPUT)
    assert float(constant(first.inputs[1])) == 1.0


@pytest.mark.skipif(not WAVE.exists(), reason="needs ../shared/data")
def test_a_trained_filter_keeps_its_picture() -> None:
    graph = export(fast_style(WAVE), 64, 64, Ranges((0.0, 255.0), (0.0, 255.0)))
    pictures = [picture(64, 64, seed) for seed in (1, 2, 3, 4)]
    made = quantize(graph, default_plan("int8"), pictures[:3], TARGETS["openvino"].quantizers)
    (ours,), (teacher,) = simulate(made, pictures[3:]), simulate(graph, pictures[3:])
    assert psnr(teacher, ours) > 34
