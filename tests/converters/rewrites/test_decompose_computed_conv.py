"""Convolutions whose weights depend on the picture become products, with the same values."""

import pytest

from pocketlens.converters.rewrites.decompose_computed_conv import DecomposeComputedConv
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes


@pytest.mark.parametrize("strides", [[1, 1], [2, 2], [2, 1]])
@pytest.mark.parametrize("biased", [False, True])
def test_computed_kernels_are_a_matrix_product(strides: list[int], biased: bool) -> None:
    """Modulated convolutions, as in StyleGAN: the weights depend on the picture."""
    builder = GraphBuilder((1, 4, 6, 7))
    mean = builder.add("Reshape", builder.add("GlobalAveragePool", "x"), builder.ints(1, 4, 1, 1))
    weight = builder.add("Mul", builder.random(5, 4, 3, 3), mean)
    inputs = ["x", weight, *([builder.random(5)] if biased else [])]
    builder.add("Conv", *inputs, pads=[1, 1, 1, 1], strides=strides)
    found = check_passes(builder.model(), DecomposeComputedConv)
    assert "Conv" not in found
    assert found["MatMul"] == 1


def computed(builder: GraphBuilder, *shape: int) -> str:
    """Weights that the picture scales."""
    return builder.add("Mul", builder.random(*shape), builder.add("ReduceMean", "x", keepdims=0))


@pytest.mark.parametrize(("groups", "left"), [(4, "Sum"), (2, "MatMul")])
def test_groups_are_computed_one_by_one(groups: int, left: str) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    weight = computed(builder, 4, 4 // groups, 3, 2)
    builder.add("Conv", "x", weight, builder.random(4), group=groups, pads=[1, 0, 1, 1], dilations=[2, 1])
    found = check_passes(builder.model(), DecomposeComputedConv)
    assert "Conv" not in found and found[left] == (1 if left == "Sum" else groups)


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        {"strides": [2, 2], "pads": [0, 1, 2, 0]},
        {"strides": [3, 3], "pads": [0, 0, 1, 1], "dilations": [1, 2]},
        {"pads": [1, 0, 1, 2], "group": 2},
    ],
)
def test_transposed_ones_spread_the_picture_first(attributes: dict[str, object]) -> None:
    builder = GraphBuilder((1, 4, 5, 6))
    weight = computed(builder, 4, 3, 4, 3)
    builder.add("ConvTranspose", "x", weight, **attributes)
    assert "ConvTranspose" not in check_passes(builder.model(), DecomposeComputedConv)
