"""Quantizers on every value: nothing is computed in floats, and convolutions have the bits that their plan says."""

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from pocketlens.converters.constants import constant
from pocketlens.converters.quantization.plan import Plan, PlanRule, default_plan
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.quality import psnr
from pocketlens.targets import QuantizerPlacement
from tests.conformance.case import Case, Constant, Place, Weights
from tests.conformance.check import prepared_case
from tests.generators import picture, small_graph

EVERYWHERE = QuantizerPlacement(biases=True, everywhere=True)
PICTURES = [picture(32, 48, seed) for seed in (1, 2, 3)]
_PIXEL_LIMITS = ("Clip", "Pad", "Resize")


def _quantized(plan: Plan) -> ir.Model:
    return quantize(small_graph(), plan, PICTURES, EVERYWHERE)


def _bits(node: ir.Node) -> int:
    """Of the integers that a node reads."""
    zero = constant(node.inputs[0].producer().inputs[2])  # type: ignore[union-attr]
    assert zero is not None
    return zero.dtype.itemsize * 8


def _operators(model: ir.Model) -> list[ir.Node]:
    return [node for node in model.graph if node.op_type not in ("QuantizeLinear", "DequantizeLinear")]


def test_every_operator_reads_and_writes_integers() -> None:
    for node in _operators(_quantized(default_plan("int8"))):
        for index, value in enumerate(node.inputs):
            if value is None or (index and node.op_type in _PIXEL_LIMITS):
                continue
            made = value.producer()
            assert made is not None and made.op_type == "DequantizeLinear", f"{node.op_type} reads {value.name}"
        for value in node.outputs:
            assert [reader.op_type for reader, _ in value.uses()] == ["QuantizeLinear"], node.name


def test_convolutions_have_eight_bits_and_all_between_them_sixteen() -> None:
    operators = _operators(_quantized(default_plan("int8")))
    convolutions = [node for node in operators if node.op_type in ("Conv", "ConvTranspose")]
    assert {_bits(node) for node in convolutions} == {8}
    assert {_bits(n) for n in operators if n.op_type in ("InstanceNormalization", "Add", "Tanh")} == {16}
    assert operators[-1].op_type == "Clip" and _bits(operators[-1]) == 8, "the picture ends in bytes"
    assert {_bits(node) for node in _operators(_quantized(default_plan("int8-a16")))[:-1]} == {16}


def test_what_a_plan_keeps_in_float_gets_sixteen_bits() -> None:
    plan = default_plan("int8")
    kept = replace(plan, rules=(*plan.rules, PlanRule("last", "float")))
    last = [node for node in _operators(_quantized(kept)) if node.op_type == "Conv"][-1]
    assert _bits(last) == 16


@pytest.mark.parametrize("bias", ["float b = {0.5}", "float[1] b = {0.5}", "float[1, 3] b = {0.5, 9, 20}"])
def test_a_product_may_have_one_bias_for_all_outputs(bias: str) -> None:
    """A Gemm may add one number, or a row of them; as integers they have a scale an output."""
    text = f"""<ir_version: 10, opset_import: ["": 20]>
m (float[1, 3, 32, 48] image) => (float[1, 3, 32, 48] stylized)
<float[3, 3] w = {{0.5, 0.1, 0, 0.2, 0.6, 0, 0, 0, 0.7}}, {bias}, int64[2] flat = {{1, 3}},
int64[4] back = {{1, 3, 1, 1}}, float half = {{0.5}}, float black = {{0}}, float white = {{255}}>
{{ p = GlobalAveragePool (image) f = Reshape (p, flat) g = Gemm (f, w, b) r = Reshape (g, back)
   s = Add (image, r) t = Mul (s, half) stylized = Clip (t, black, white) }}"""
    graph = ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text)))
    quantized = quantize(graph, default_plan("int8"), PICTURES, EVERYWHERE)
    pair = simulate(graph, PICTURES[:1]), simulate(quantized, PICTURES[:1])
    assert psnr(*(np.clip(outputs[0], 0, 255) for outputs in pair)) > 45


def test_norms_may_share_their_numbers() -> None:
    """Those without trained scales do: the same constant is other integers in each, under another name."""
    graph = small_graph()
    first = next(node for node in graph.graph if node.op_type == "InstanceNormalization")
    (normed,) = first.outputs
    readers = list(normed.uses())
    again = ir.node("InstanceNormalization", [normed, *first.inputs[1:]], name="again")
    again.outputs[0].shape, again.outputs[0].dtype, again.outputs[0].name = normed.shape, normed.dtype, "twice"
    graph.graph.insert_after(first, again)
    for reader, index in readers:
        reader.replace_input_with(index, again.outputs[0])
    quantized = quantize(graph, default_plan("int8-a16"), PICTURES, EVERYWHERE)
    pair = simulate(graph, PICTURES[:1]), simulate(quantized, PICTURES[:1])
    assert psnr(*(np.clip(outputs[0], 0, 255) for outputs in pair)) > 50


def test_more_bits_lose_less() -> None:
    shown = picture(32, 48, 7)
    (teacher,) = simulate(small_graph(), [shown])
    reached = [
        psnr(np.clip(teacher, 0, 255), np.clip(simulate(_quantized(default_plan(precision)), [shown])[0], 0, 255))
        for precision in ("int8", "int8-a16")
    ]
    assert 45 < reached[0] < reached[1]


def _case(nodes: str, constants: dict[str, Constant]) -> ir.Model:
    """A graph of a case, quantized."""
    case = prepared_case(Case(nodes, constants, Place(3, 5, 7, "Conv", "Mul")))
    pictures = [picture(*case.size, seed) for seed in (1, 2)]
    return quantize(case.graph, default_plan("int8"), pictures, EVERYWHERE)


def _written(node: ir.Node) -> tuple[float, int]:
    """Scale and zero point of what a node writes."""
    ((step, _),) = node.outputs[0].uses()
    scale, zero = constant(step.inputs[1]), constant(step.inputs[2])
    assert scale is not None and zero is not None
    return float(scale), int(zero)


def _read(node: ir.Node, index: int) -> tuple[float, int]:
    step = node.inputs[index].producer()  # type: ignore[union-attr]
    scale, zero = constant(step.inputs[1]), constant(step.inputs[2])  # type: ignore[union-attr]
    assert scale is not None and zero is not None
    return float(scale), int(zero)


@pytest.mark.parametrize("behind", ["Identity", "Relu"])
def test_a_logarithm_has_a_scale_that_the_npu_computes_rightly(behind: str) -> None:
    nodes = f"m = Abs(x)\np = Add(m, low)\nl = Log(p)\ny = {behind}(l)"
    (node,) = (node for node in _case(nodes, {"low": 1.0}).graph if node.op_type == "Log")
    assert 2**-14 < _written(node)[0] < 2**-13


def test_all_that_a_scatter_copies_has_one_scale() -> None:
    # Places that are constant are no scatter any more.
    nodes = "m = ReduceMax(x, last)\np = Clip(m, least, most)\ni = Cast <to = 7> (p)\n"
    nodes += "y = ScatterElements <axis = 3> (x, i, new)"
    constants: dict[str, Constant] = {"last": (3,), "least": 0.0, "most": 1.0, "new": Weights((1, 3, 5, 1), 9.0)}
    (node,) = (node for node in _case(nodes, constants).graph if node.op_type == "ScatterElements")
    assert _read(node, 0) == _read(node, 2) == _written(node)


def test_a_vector_that_is_summed_up_has_one_scale() -> None:
    graph = _case("m = MatMul(x, w)\ny = Unsqueeze(m, a)", {"w": Weights((7,)), "a": (3,)})
    (node,) = (node for node in graph.graph if node.op_type == "MatMul")
    scale = constant(node.inputs[1].producer().inputs[1])  # type: ignore[union-attr]
    assert scale is not None and scale.shape == ()


def test_what_the_npu_computes_wrongly_is_decomposed_before_ranges_are_found() -> None:
    nodes = "s = Softplus(x)\nc = Pow(two, s)\np = ReduceMean(c, axes)\ny = Mul(c, p)"
    operators = {node.op_type for node in _case(nodes, {"two": 2.0, "axes": (1,)}).graph}
    assert not operators & {"Softplus", "Pow"} and {"Exp", "Log"} <= operators
