"""A Resize says the size of every axis."""

import pytest

from pocketlens.converters.rewrites.decompose_resize import DecomposeResize
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes


@pytest.mark.parametrize(
    ("how", "applies"),
    [
        ({"axes": [3, 2], "scales": (2.5, 0.5)}, True),
        ({"axes": [-1], "scales": (1.5,)}, True),
        ({"axes": [3], "sizes": (9,)}, True),
        ({"axes": [3, 2], "sizes": (14, 9), "policy": "not_larger"}, False),  # 1.5 times 7 columns is no whole number
        ({"axes": [2, 3], "sizes": (12, 99), "policy": "not_larger"}, True),
        ({"axes": [2, 3], "sizes": (1, 14), "policy": "not_smaller"}, True),
        ({"sizes": (1, 4, 6, 9)}, False),
    ],
)
def test_resizes_say_the_size_of_every_axis(how: dict, applies: bool) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    policy = {"keep_aspect_ratio_policy": how["policy"]} if "policy" in how else {}
    axes = {"axes": how["axes"]} if "axes" in how else {}
    inputs = ["x", "", builder.array(how["scales"])] if "scales" in how else ["x", "", "", builder.ints(*how["sizes"])]
    builder.add("Resize", *inputs, mode="linear", **axes, **policy)
    check_passes(builder.model(), DecomposeResize, applies=applies)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("by", ["scales", "sizes"])
def test_a_picture_that_lies_channels_last_is_turned(mode: str, by: str) -> None:
    builder = GraphBuilder((1, 6, 7, 4))
    empty = builder.array([])
    given = [builder.array([1, 2, 2, 1])] if by == "scales" else [empty, builder.ints(1, 12, 14, 4)]
    builder.add("Resize", "x", empty, *given, mode=mode)
    assert check_passes(builder.model(), DecomposeResize) == {"Transpose": 2, "Resize": 1}


def test_tensorflows_nearest_is_half_pixel_rounded_up() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    attributes = {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"}
    builder.add("Resize", "x", builder.array([]), builder.array([1, 1, 2, 3]), mode="nearest", **attributes)
    model = builder.model()
    check_passes(model, DecomposeResize)
    assert model.graph[0].attributes["coordinate_transformation_mode"].as_string() == "half_pixel"
