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


@pytest.mark.parametrize("perm", [(0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_places_that_are_a_transposed_view_are_a_transpose(perm: tuple[int, ...]) -> None:
    """As torch's newer exporter writes ``as_strided``."""
    builder = GraphBuilder((1, 4, 6))
    flat = builder.add("Reshape", "x", builder.ints(24))
    places = np.arange(24).reshape(2, 3, 4).transpose(perm)
    builder.add("Gather", flat, builder.array(places, np.int64))
    assert check_passes(builder.model(), DecomposeRare) == {"Reshape": 2, "Transpose": 1}


def test_other_places_of_several_axes_are_taken_flat() -> None:
    builder = GraphBuilder((1, 4, 6))
    builder.add("Gather", "x", builder.array(builder.rng.integers(0, 4, (2, 3)), np.int64), axis=1)
    model = builder.model()
    assert check_passes(model, DecomposeRare) == {"Gather": 1, "Reshape": 1}


@pytest.mark.parametrize("strides", [[1, 1], [2, 2], [2, 1]])
@pytest.mark.parametrize("biased", [False, True])
def test_computed_kernels_are_a_matrix_product(strides: list[int], biased: bool) -> None:
    """Modulated convolutions, as in StyleGAN: the weights depend on the picture."""
    builder = GraphBuilder((1, 4, 6, 7))
    mean = builder.add("Reshape", builder.add("GlobalAveragePool", "x"), builder.ints(1, 4, 1, 1))
    weight = builder.add("Mul", builder.random(5, 4, 3, 3), mean)
    inputs = ["x", weight, *([builder.random(5)] if biased else [])]
    builder.add("Conv", *inputs, pads=[1, 1, 1, 1], strides=strides)
    found = check_passes(builder.model(), DecomposeRare)
    assert "Conv" not in found
    assert found["MatMul"] == 1


def test_a_batch_norm_by_computed_statistics_is_taken_apart() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    mean = builder.add("ReduceMean", "x", builder.ints(0, 2, 3), keepdims=0)
    variance = builder.add("Abs", mean)
    builder.add("BatchNormalization", "x", builder.random(4), builder.random(4), mean, variance, epsilon=1e-2)
    assert "BatchNormalization" not in check_passes(builder.model(), DecomposeRare)
