"""Rare operators become common ones, with the same values."""

import numpy as np
import pytest

from pocketlens.converters.rewrites.decompose_rare import DecomposeRare
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_along_one_axis_is_one_over_a_row(operator: str, stride: int) -> None:
    builder = GraphBuilder((1, 4, 9))
    shape = (6, 4, 3) if operator == "Conv" else (4, 6, 3)
    builder.add(operator, "x", builder.random(*shape), builder.random(6), strides=[stride], pads=[1, 1], dilations=[1])
    assert check_passes(builder.model(), DecomposeRare) == {operator: 1, "Reshape": 2}


@pytest.mark.parametrize("shape", [(4, 6, 7), (1, 1, 7), (1, 6, 1)])
def test_slopes_of_pixels_and_rows_are_two_relus(shape: tuple[int, ...]) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("PRelu", "x", builder.array(builder.rng.uniform(-0.5, 0.5, shape)))
    assert check_passes(builder.model(), DecomposeRare)["Relu"] == 2


@pytest.mark.parametrize("shape", [(), (12,), (1, 12)])
def test_slopes_of_features_are_two_relus(shape: tuple[int, ...]) -> None:
    builder = GraphBuilder((1, 12))
    builder.add("PRelu", "x", builder.array(builder.rng.uniform(-0.5, 0.5, shape)))
    assert check_passes(builder.model(), DecomposeRare)["Relu"] == 2


@pytest.mark.parametrize("shape", [(), (1,), (4, 1, 1)])
def test_a_slope_a_channel_stays(shape: tuple[int, ...]) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("PRelu", "x", builder.array(np.full(shape, 0.25)))
    assert check_passes(builder.model(), DecomposeRare, applies=False) == {"PRelu": 1}


@pytest.mark.parametrize("size", [(8, 6), (9, 7)])
def test_overlapping_blocks_are_a_transposed_convolution(size: tuple[int, int]) -> None:
    """As torch's fold: blocks of 3 x 2, every second row; what does not fill a block is left 0."""
    blocks = ((size[0] + 1 - 3) // 2 + 1) * (size[1] - 2 + 1)
    builder = GraphBuilder((1, 4 * 6, blocks))
    builder.add("Col2Im", "x", builder.ints(*size), builder.ints(3, 2), pads=[1, 0, 0, 0], strides=[2, 1])
    assert check_passes(builder.model(), DecomposeRare) == {"Reshape": 1, "ConvTranspose": 1}


def test_a_batch_norm_by_computed_statistics_is_taken_apart() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    mean = builder.add("ReduceMean", "x", builder.ints(0, 2, 3), keepdims=0)
    variance = builder.add("Abs", mean)
    builder.add("BatchNormalization", "x", builder.random(4), builder.random(4), mean, variance, epsilon=1e-2)
    assert "BatchNormalization" not in check_passes(builder.model(), DecomposeRare)


@pytest.mark.parametrize("attributes", [{"transA": 1}, {"transB": 1}, {"transA": 1, "alpha": 0.5, "beta": 2.0}])
def test_a_gemm_of_computed_matrices_is_decomposed(attributes: dict[str, float]) -> None:
    builder = GraphBuilder((6, 6))
    term = builder.add("ReduceMax", "x", builder.ints(0))
    builder.add("Gemm", builder.add("Tanh", "x"), builder.add("Sigmoid", "x"), term, **attributes)
    left = check_passes(builder.model(), DecomposeRare)
    assert "Gemm" not in left and left["MatMul"] == 1


def test_a_gemm_with_constants_stays() -> None:
    builder = GraphBuilder((6, 6))
    builder.add("Gemm", "x", builder.random(6, 6), builder.random(6), transB=1)
    check_passes(builder.model(), DecomposeRare, applies=False)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("attributes", [{}, {"strides": [2, 1], "pads": [1, 0, 1, 1]}, {"auto_pad": "SAME_UPPER"}])
def test_a_pool_of_powers_is_the_root_of_a_mean(order: int, attributes: dict[str, list[int]]) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("LpPool", "x", kernel_shape=[3, 2], p=order, **attributes)
    assert check_passes(builder.model(), DecomposeRare)["AveragePool"] == 1


def test_a_pool_of_no_power_is_left_to_be_refused() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("GlobalLpPool", "x", p=0)
    assert not DecomposeRare()(builder.model()).modified


def test_a_pool_of_powers_over_the_whole_picture_is_the_root_of_its_mean() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("GlobalLpPool", "x", p=2)
    assert check_passes(builder.model(), DecomposeRare)["GlobalAveragePool"] == 1


@pytest.mark.parametrize(("bias", "left"), [(0.5, {"Relu": 2, "Sub": 3}), (0.0, {"Where": 2}), (0.25, {"Where": 2})])
def test_a_shrink_is_two_relus_or_a_choice(bias: float, left: dict[str, int]) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Shrink", "x", lambd=0.5, bias=bias)
    found = check_passes(builder.model(), DecomposeRare)
    assert {name: found[name] for name in left} == left
