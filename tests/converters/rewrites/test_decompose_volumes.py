"""Convolutions and pools of volumes become those of pictures, with the same values."""

from typing import Any

import pytest

from pocketlens.converters.rewrites.decompose_volumes import DecomposeVolumes
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes

SHAPE = (1, 3, 5, 8, 9)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"pads": [1, 1, 1, 1, 1, 1]},
        {"pads": [0, 1, 2, 2, 0, 1], "strides": [2, 1, 2]},
        {"dilations": [2, 1, 2], "pads": [2, 0, 0, 1, 0, 0]},
    ],
)
def test_a_convolution_of_a_volume_is_one_a_layer(attributes: dict[str, Any]) -> None:
    builder = GraphBuilder(SHAPE)
    builder.add("Conv", "x", builder.random(4, 3, 3, 2, 3), builder.random(4), **attributes)
    assert check_passes(builder.model(), DecomposeVolumes)["Conv"] >= 2


@pytest.mark.parametrize("operator", ["AveragePool", "MaxPool"])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [5, 1, 1], "pads": [2, 0, 0, 2, 0, 0]},
        {"kernel_shape": [2, 3, 3], "strides": [1, 2, 2], "pads": [1, 1, 0, 0, 1, 2]},
        {"kernel_shape": [1, 2, 2], "strides": [1, 2, 2]},
    ],
)
def test_a_pool_of_a_box_is_one_along_its_depth_and_one_of_its_plane(operator: str, attributes: dict[str, Any]) -> None:
    builder = GraphBuilder(SHAPE)
    builder.add(operator, "x", **attributes)
    assert check_passes(builder.model(), DecomposeVolumes)[operator] <= 2


@pytest.mark.parametrize("count_include_pad", [0, 1])
def test_what_lies_outside_counts_as_the_pool_says(count_include_pad: int) -> None:
    builder = GraphBuilder(SHAPE)
    kernel = {"kernel_shape": [3, 3, 3], "pads": [1] * 6, "count_include_pad": count_include_pad}
    builder.add("AveragePool", "x", **kernel)
    check_passes(builder.model(), DecomposeVolumes)


def test_groups_stay() -> None:
    builder = GraphBuilder(SHAPE)
    builder.add("Conv", "x", builder.random(3, 1, 3, 3, 3), group=3)
    check_passes(builder.model(), DecomposeVolumes, applies=False)
