"""Functions that only ONNX and OpenVINO have become others, with the same values."""

from typing import Any

import numpy as np
import pytest

from pocketlens.converters.rewrites.decompose_functions import DecomposeFunctions
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("LogSoftmax", {"axis": 1}),
        ("LpNormalization", {"axis": 1, "p": 2}),
        ("LpNormalization", {"axis": -1, "p": 1}),
        ("LRN", {"size": 3, "alpha": 0.5, "beta": 0.6, "bias": 2.0}),
        ("LRN", {"size": 5}),
        ("Atan", {}),
    ],
)
def test_a_function_of_one_input_is_its_definition(operator: str, attributes: dict[str, Any]) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add(operator, "x", **attributes)
    assert operator not in check_passes(builder.model(), DecomposeFunctions)


def test_a_vector_of_zeros_is_normalized_to_zeros() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("LpNormalization", builder.add("Mul", "x", builder.array(0)), axis=1)
    check_passes(builder.model(), DecomposeFunctions)


@pytest.mark.parametrize("reach", [0.1, 1.0, 50.0])
def test_an_angle_is_right_near_and_far(reach: float) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Atan", builder.add("Mul", "x", builder.array(reach)))
    check_passes(builder.model(), DecomposeFunctions)


@pytest.mark.parametrize(("axes", "keepdims"), [((1,), 1), ((2, 3), 0), ((0, 1, 2, 3), 1)])
def test_the_log_of_a_sum_of_exponentials_does_not_overflow(axes: tuple[int, ...], keepdims: int) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("ReduceLogSumExp", builder.add("Mul", "x", builder.array(60)), builder.ints(*axes), keepdims=keepdims)
    assert "ReduceLogSumExp" not in check_passes(builder.model(), DecomposeFunctions)


def test_the_rest_of_a_division_has_the_sign_of_what_is_divided() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Mod", "x", builder.array([[[0.7]], [[-0.4]], [[1.3]], [[0.9]]]), fmod=1)
    assert "Mod" not in check_passes(builder.model(), DecomposeFunctions)


def test_what_is_no_number_is_found_by_comparing_it_with_itself() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    root = builder.add("Sqrt", "x")
    builder.add("Where", builder.add("IsNaN", root), builder.array(0), root)
    assert "IsNaN" not in check_passes(builder.model(), DecomposeFunctions)


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("diagonal", [(), (2,), (-1,)])
def test_a_triangle_is_a_product(upper: int, diagonal: tuple[int, ...]) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Trilu", "x", *(builder.array(d, np.int64) for d in diagonal), upper=upper)
    assert check_passes(builder.model(), DecomposeFunctions) == {"Mul": 1}


@pytest.mark.parametrize("size", [(4, 9), (6, 4), (9, 10), (5, 7)])
def test_a_centered_part_is_a_slice_and_a_pad(size: tuple[int, int]) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("CenterCropPad", "x", builder.ints(*size), axes=[2, 3])
    assert "CenterCropPad" not in check_passes(builder.model(), DecomposeFunctions)


def test_a_negative_pad_is_a_slice() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Pad", "x", builder.ints(0, 0, -1, 2, 0, 0, 3, -2), builder.array(0.5))
    assert check_passes(builder.model(), DecomposeFunctions) == {"Slice": 1, "Pad": 1}


@pytest.mark.parametrize("length", [7, 5])
def test_a_reversed_row_is_a_gather(length: int) -> None:
    builder = GraphBuilder((1, 7, 6))
    builder.add("ReverseSequence", "x", builder.ints(length), batch_axis=0, time_axis=1)
    assert check_passes(builder.model(), DecomposeFunctions) == {"Gather": 1}
