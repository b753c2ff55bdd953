"""What the Snapdragon NPU computes wrongly is written in other operators, with the same values."""

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir.passes import common

from pocketlens.converters.rewrites.decompose_for_npu import DecomposeForNpu
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import assert_close, play


def _decomposed(model: ir.Model, *, integers: bool, applies: bool = True) -> Counter[str]:
    """Check that the pass keeps the values and is done after one go; the operators that are left."""
    before = play(model)
    assert DecomposeForNpu(integers=integers)(model).modified == applies
    common.ShapeInferencePass()(model)
    assert_close(play(model), before)
    assert not DecomposeForNpu(integers=integers)(model).modified
    return Counter(node.op_type for node in model.graph)


@pytest.mark.parametrize("integers", [True, False])
def test_softplus_is_a_logarithm(integers: bool) -> None:
    builder = GraphBuilder((1, 3, 4, 5))
    builder.add("Softplus", builder.add("Mul", "x", builder.array(9.0)))
    assert _decomposed(builder.model(), integers=integers)["Log"] == 1


@pytest.mark.parametrize("integers", [True, False])
@pytest.mark.parametrize("kind", [ir.DataType.INT32, ir.DataType.INT64, ir.DataType.INT8])
def test_a_cast_to_integers_and_back_cuts_fractions_off(kind: ir.DataType, integers: bool) -> None:
    builder = GraphBuilder((1, 3, 4, 5))
    whole = builder.add("Cast", builder.add("Mul", "x", builder.array(7.0)), to=int(kind))
    builder.add("Cast", whole, to=int(ir.DataType.FLOAT))
    assert not _decomposed(builder.model(), integers=integers)["Cast"]


def test_casts_that_cut_nothing_off_stay() -> None:
    builder = GraphBuilder((1, 3, 4, 5))
    truth = builder.add("Cast", "x", to=int(ir.DataType.BOOL))
    builder.add("Cast", truth, to=int(ir.DataType.FLOAT))
    assert _decomposed(builder.model(), integers=True, applies=False)["Cast"] == 2


@pytest.mark.parametrize("shape", [(), (5,), (3, 1, 1)])
def test_a_power_of_a_constant_is_an_exponential(shape: tuple[int, ...]) -> None:
    builder = GraphBuilder((1, 3, 4, 5))
    builder.add("Pow", builder.array(builder.rng.uniform(0.3, 3, shape)), "x")
    assert _decomposed(builder.model(), integers=True)["Exp"] == 1


def test_other_powers_stay() -> None:
    builder = GraphBuilder((1, 3, 4, 5))
    builder.add("Pow", "x", builder.array(2.0))
    assert _decomposed(builder.model(), integers=True, applies=False)["Pow"] == 1
    builder = GraphBuilder((1, 3, 4, 5))
    builder.add("Pow", builder.array(2.0), "x")
    assert _decomposed(builder.model(), integers=False, applies=False)["Pow"] == 1, "right in half precision"


@pytest.mark.parametrize("operator", ["ReduceSum", "ReduceMean"])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(
    ("shape", "axes"), [((2, 4, 1, 1), (1, 2, -1)), ((1, 3, 1, 5), (1, 2)), ((3, 1, 1, 1), (1, 2))]
)
def test_reductions_leave_out_axes_of_one(
    operator: str, keepdims: int, shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    builder = GraphBuilder(shape)
    builder.add(operator, "x", builder.ints(*axes), keepdims=keepdims)
    model = builder.model()
    _decomposed(model, integers=True)
    for node in (node for node in model.graph if node.op_type == operator):
        assert all(shape[int(axis)] > 1 for axis in node.inputs[1].const_value.numpy())  # type: ignore[union-attr]


def test_reductions_of_longer_axes_stay() -> None:
    builder = GraphBuilder((1, 3, 4, 5))
    builder.add("ReduceMean", "x", builder.array(np.array([1, 2]), np.int64))
    assert _decomposed(builder.model(), integers=True, applies=False)["ReduceMean"] == 1


@pytest.mark.parametrize("bias", [None, (4,), ()])
@pytest.mark.parametrize("transposed", [0, 1])
def test_a_product_with_one_row_is_one_of_numbers(transposed: int, bias: tuple[int, ...] | None) -> None:
    builder = GraphBuilder((3, 1))
    terms = [builder.random(4, 1) if transposed else builder.random(1, 4)]
    terms += [builder.random(*bias)] if bias is not None else []
    builder.add("Gemm", "x", *terms, transB=transposed, alpha=0.5, beta=2.0)
    assert not _decomposed(builder.model(), integers=True)["Gemm"]
    builder = GraphBuilder((1, 2, 5, 1))
    builder.add("MatMul", "x", builder.random(1, 4))
    assert not _decomposed(builder.model(), integers=True)["MatMul"]


def test_other_products_stay() -> None:
    builder = GraphBuilder((1, 2))
    builder.add("Gemm", "x", builder.random(2, 4))
    assert _decomposed(builder.model(), integers=True, applies=False)["Gemm"] == 1
