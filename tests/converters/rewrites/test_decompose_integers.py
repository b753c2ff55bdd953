"""Integers that are computed from the picture become floats and truths, with the same values."""

import numpy as np
import pytest
from onnx import TensorProto

from pocketlens.converters.rewrites.decompose_integers import DecomposeIntegers
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes


def to(builder: GraphBuilder, value: str, kind: int) -> str:
    return builder.add("Cast", value, to=kind)


def test_a_choice_between_integers_is_arithmetic() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    is_high = builder.add("Greater", "x", builder.array(0.2))
    inner = builder.add("Where", is_high, builder.array(5, np.int64), builder.array(-2, np.int64))
    outer = builder.add("Where", builder.add("Less", "x", builder.array(-0.3)), inner, builder.array(1, np.int64))
    to(builder, outer, TensorProto.FLOAT)
    assert "Where" not in check_passes(builder.model(), DecomposeIntegers)


@pytest.mark.parametrize("operator", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32])
def test_a_comparison_of_places_is_one_of_floats(operator: str, kind: int) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    place = to(builder, builder.add("ArgMax", "x", axis=1), kind)
    number = builder.array(2, np.int64 if kind == TensorProto.INT64 else np.int32)
    builder.add("Where", builder.add(operator, place, number), "x", builder.array(0))
    check_passes(builder.model(), DecomposeIntegers)


@pytest.mark.parametrize("operator", ["ReduceSum", "ReduceMax", "ReduceMin"])
def test_truths_are_counted_in_floats(operator: str) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    count = to(builder, builder.add("Greater", "x", builder.array(0)), TensorProto.INT64)
    to(builder, builder.add(operator, count, builder.ints(1)), TensorProto.FLOAT)
    check_passes(builder.model(), DecomposeIntegers)


def test_floats_stay_as_they_are() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Where", builder.add("Greater", "x", builder.array(0)), "x", builder.array(1))
    check_passes(builder.model(), DecomposeIntegers, applies=False)
