"""Pixel shuffles move to the end, on random graphs."""

import pytest
from hypothesis import given

from pocketlens.converters.rewrites.shuffle_last import ShuffleLast
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick
from tests.converters.rewrites.packed_graphs import add_packed_steps, packed_steps


@quick
@given(packed_steps)
def test_shuffles_go_last(chosen: list[str]) -> None:
    builder = GraphBuilder((1, 3, 4, 6), len(chosen))
    builder.add("Conv", "x", builder.random(16, 3, 1, 1))
    builder.add("DepthToSpace", builder.last, blocksize=2, mode="CRD")
    channels = add_packed_steps(builder, chosen)
    builder.add("InstanceNormalization", builder.last, builder.random(channels), builder.random(channels))
    builder.add("Tanh", builder.last)
    model = builder.model()
    found = check_passes(model, ShuffleLast)
    assert found["DepthToSpace"] == 1 and model.graph.node(-1).op_type == "DepthToSpace"


@pytest.mark.parametrize("case", ["no norm", "other order", "picture added"])
def test_shuffles_that_stay(case: str) -> None:
    builder = GraphBuilder((1, 3, 4, 4))
    builder.add("Conv", "x", builder.random(12, 3, 3, 3), pads=[1] * 4)
    builder.add("DepthToSpace", builder.last, blocksize=2, mode="DCR" if case == "other order" else "CRD")
    if case != "no norm":
        builder.add("InstanceNormalization", builder.last, builder.random(3), builder.random(3))
    if case == "picture added":
        norm = builder.last
        builder.add("Add", norm, builder.add("Resize", "x", "", builder.array([1, 1, 2, 2])))
    builder.add("Tanh", builder.last)
    check_passes(builder.model(), ShuffleLast, applies=False)
