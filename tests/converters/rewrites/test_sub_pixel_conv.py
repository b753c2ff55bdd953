"""Transposed convolutions become convolutions and a pixel shuffle, on random graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.sub_pixel_conv import SubPixelConv
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import assert_close, check_passes, play, quick

pads = st.tuples(*[st.integers(0, 2)] * 4)


@quick
@given(
    st.integers(2, 3),
    st.integers(1, 5),
    st.integers(1, 5),
    pads,
    st.integers(1, 2),
    st.booleans(),
    st.integers(0, 1),
    st.sampled_from([2, 16]),
)
def test_transposed_conv_becomes_sub_pixel_conv(
    stride: int, rows: int, columns: int, cut: tuple[int, ...], dilation: int, bias: bool, extra: int, out: int
) -> None:
    builder = GraphBuilder((1, 3, 5, 6), rows * 10 + columns)
    terms = [builder.random(out)] if bias else []
    builder.add(
        "ConvTranspose",
        "x",
        builder.random(3, out, rows, columns),
        *terms,
        strides=[stride, stride],
        pads=cut,
        dilations=[dilation, 1],
        output_padding=[extra, 0],
    )
    model = builder.model()
    before = play(model)
    modified = SubPixelConv()(model).modified
    assert_close(play(model), before)
    assert modified != any(node.op_type == "ConvTranspose" for node in model.graph)
    assert not SubPixelConv()(model).modified


@pytest.mark.parametrize(("kernel", "cut", "taps"), [(4, (1, 1, 1, 1), 2), (3, (0, 0, 1, 1), 2), (2, (0, 0, 0, 0), 1)])
def test_usual_transposed_convs_need_the_least_kernel(kernel: int, cut: tuple[int, ...], taps: int) -> None:
    builder = GraphBuilder((1, 3, 5, 6))
    builder.add("ConvTranspose", "x", builder.random(3, 2, kernel, kernel), strides=[2, 2], pads=cut)
    model = builder.model()
    assert check_passes(model, SubPixelConv)["ConvTranspose"] == 0
    conv = next(node for node in model.graph if node.op_type == "Conv")
    assert conv.inputs[1] is not None and conv.inputs[1].shape == (8, 3, taps, taps)


def test_wide_transposed_convs_take_no_product_more() -> None:
    builder = GraphBuilder((1, 3, 5, 6))
    builder.add("ConvTranspose", "x", builder.random(3, 16, 3, 4), strides=[2, 2], pads=[1, 1, 0, 1])
    model = builder.model()
    assert check_passes(model, SubPixelConv) == {"Conv": 4, "Concat": 1, "DepthToSpace": 1}
    taps = [list(node.inputs[1].shape)[2:] for node in model.graph if node.op_type == "Conv"]  # type: ignore[arg-type,union-attr]
    assert taps == [[1, 2], [1, 2], [2, 2], [2, 2]]


def test_transposed_convs_that_stay() -> None:
    for attributes in ({"group": 3}, {"strides": [2, 1]}, {}, {"strides": [2, 2], "output_shape": [10, 12]}):
        builder = GraphBuilder((1, 3, 5, 6))
        builder.add("ConvTranspose", "x", builder.random(3, 2, 3, 3), **attributes)
        check_passes(builder.model(), SubPixelConv, applies=False)
