"""Bilinear enlarging as matrix products, on random graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.enlarge_by_products import EnlargeByProducts
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick


def enlarged(factor: int, shape: tuple[int, ...], sizes: bool = False, **attributes: str) -> GraphBuilder:
    builder = GraphBuilder(shape)
    grown = (*shape[:2], shape[2] * factor, shape[3] * factor)
    by = [builder.ints(*grown)] if sizes else [builder.array([1, 1, factor, factor])]
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"} | attributes
    builder.add("Resize", "x", "", *([""] if sizes else []), *by, **attributes)
    return builder


@quick
@given(st.integers(4, 9), st.integers(1, 4), st.integers(1, 3), st.integers(1, 12), st.booleans())
def test_the_picture_stays(factor: int, channels: int, height: int, width: int, sizes: bool) -> None:
    model = enlarged(factor, (2, channels, height, width), sizes).model()
    left = check_passes(model, EnlargeByProducts)
    assert left["MatMul"] == 2
    assert left["Resize"] == 0


def test_two_pictures_share_the_matrix_of_their_columns() -> None:
    builder = enlarged(4, (1, 3, 6, 8))
    again = builder.add("Resize", "x", "", "c0", mode="linear", coordinate_transformation_mode="half_pixel")
    builder.add("Add", "v0", again)
    model = builder.model()
    check_passes(model, EnlargeByProducts)
    assert sum(tuple(value.shape or ()) == (24, 6) for value in model.graph.initializers.values()) == 1


@pytest.mark.parametrize("case", ["twice", "many channels", "nearest", "corners", "one axis"])
def test_enlarging_that_stays(case: str) -> None:
    if case == "one axis":
        builder = GraphBuilder((1, 3, 6, 8))
        builder.add("Resize", "x", "", builder.array([1, 1, 4, 1]), mode="linear")
    else:
        attributes = {"nearest": {"mode": "nearest"}, "corners": {"coordinate_transformation_mode": "align_corners"}}
        shape = (1, 8 if case == "many channels" else 3, 6, 8)
        builder = enlarged(2 if case == "twice" else 4, shape, **attributes.get(case, {}))
    assert check_passes(builder.model(), EnlargeByProducts, applies=False)["Resize"] == 1
