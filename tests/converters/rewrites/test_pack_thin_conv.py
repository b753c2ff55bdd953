"""Large convolutions to few channels compute blocks, on random graphs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.pack_thin_conv import PackThinConv
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick


@quick
@given(st.integers(7, 9), st.integers(7, 9), st.integers(1, 4), st.integers(0, 4), st.booleans(), st.integers(1, 2))
def test_thin_convs_are_packed(rows: int, columns: int, out: int, before: int, bias: bool, dilation: int) -> None:
    builder = GraphBuilder((1, 3, 18, 22), rows * 10 + columns)
    after = [(before + (n - 1) * d) % 2 for n, d in ((rows, dilation), (columns, 1))]  # an even size comes out
    terms = [builder.random(out)] if bias else []
    weight = builder.random(out, 3, rows, columns)
    builder.add("Conv", "x", weight, *terms, pads=[before, before, *after], dilations=[dilation, 1])
    found = check_passes(builder.model(), PackThinConv)
    assert found == {"Conv": 1, "DepthToSpace": 1}


def test_convs_that_are_not_packed() -> None:
    for case in ("odd", "wide", "small kernel", "stride", "groups"):
        builder = GraphBuilder((1, 4, 21 if case == "odd" else 20, 22))
        kernel = 3 if case == "small kernel" else 9
        out, depth = {"wide": (8, 4), "groups": (4, 1)}.get(case, (3, 4))
        builder.add(
            "Conv", "x", builder.random(out, depth, kernel, kernel),
            pads=[kernel // 2] * 4, strides=[2, 2] if case == "stride" else [1, 1], group=4 if case == "groups" else 1,
        )  # fmt: skip
        check_passes(builder.model(), PackThinConv, applies=False)


def test_every_tap_of_a_packed_kernel_is_one_of_the_original() -> None:
    builder = GraphBuilder((1, 2, 10, 10))
    weight = builder.rng.standard_normal((3, 2, 9, 9)).astype(np.float32)
    builder.add("Conv", "x", builder.array(weight), pads=[4] * 4)
    model = builder.model()
    PackThinConv()(model)
    conv = next(node for node in model.graph if node.op_type == "Conv")
    packed = np.asarray(conv.inputs[1].const_value.numpy())  # type: ignore[union-attr]
    for channel in range(12):
        found = np.sort(packed[channel][packed[channel] != 0])
        np.testing.assert_array_equal(found, np.sort(weight[channel // 4].reshape(-1)))
