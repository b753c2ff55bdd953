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
