"""Pictures stay packed between convolutions that write and read blocks, on random graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.keep_packed import MAX_PRODUCTS_RATIO, KeepPacked
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick
from tests.converters.rewrites.packed_graphs import add_packed_steps, packed_steps


@quick
@given(packed_steps, st.integers(1, 4), st.integers(0, 2))
def test_packed_pictures_stay_packed(chosen: list[str], half: int, before: int) -> None:
    builder = GraphBuilder((1, 3, 4, 6), len(chosen))
    builder.add("Conv", "x", builder.random(16, 3, 1, 1))
    builder.add("DepthToSpace", builder.last, blocksize=2, mode="CRD")
    channels = add_packed_steps(builder, chosen)
    kernel = 2 * half
    before = min(before, kernel - 2)
    pads = [before, before, kernel - 2 - before, kernel - 2 - before]
    builder.add("Conv", builder.last, builder.random(3, channels, kernel, kernel), strides=[2, 2], pads=pads)
    model = builder.model()
    zeros = ((half + before % 2) / half) ** 2
    if zeros > MAX_PRODUCTS_RATIO:
        check_passes(model, KeepPacked, applies=False)
    else:
        assert check_passes(model, KeepPacked)["DepthToSpace"] == 0


@pytest.mark.parametrize(
    "case", ["read twice", "other order", "other block", "a number a pixel", "pad", "stride", "zeros"]
)
def test_pictures_that_are_unpacked(case: str) -> None:
    builder = GraphBuilder((1, 3, 4, 4))
    builder.add("Conv", "x", builder.random(16, 3, 1, 1))
    block = 4 if case == "other block" else 2
    picture = builder.add("DepthToSpace", builder.last, blocksize=block, mode="DCR" if case == "other order" else "CRD")
    if case == "a number a pixel":
        builder.add("Mul", picture, builder.random(8, 8))
    if case == "pad":
        builder.add("Pad", picture, builder.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    channels = 1 if case == "other block" else 4
    kernel = 3 if case == "zeros" else 4
    builder.add(
        "Conv", builder.last, builder.random(3, channels, kernel, kernel), strides=[1 if case == "stride" else 2] * 2
    )
    check_passes(builder.model(*([picture] if case == "read twice" else [])), KeepPacked, applies=False)
