"""Rewrites to packed pictures, on random graphs: the same values, done after one go, and what they must leave alone."""

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.enlarge_last import EnlargeLast
from pocketlens.converters.rewrites.keep_packed import MOST_ZEROS, KeepPacked
from pocketlens.converters.rewrites.pack_thin_conv import PackThinConv
from pocketlens.converters.rewrites.registry import REWRITES, apply
from pocketlens.converters.rewrites.sub_pixel_conv import SubPixelConv
from pocketlens.errors import InputError
from pocketlens.targets import TARGETS
from tests.converters.drafts import Draft, close, exact, quick, values

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
    draft = Draft((1, 3, 5, 6), rows * 10 + columns)
    terms = [draft.random(out)] if bias else []
    draft.add(
        "ConvTranspose",
        "x",
        draft.random(3, out, rows, columns),
        *terms,
        strides=[stride, stride],
        pads=cut,
        dilations=[dilation, 1],
        output_padding=[extra, 0],
    )
    model = draft.model()
    before = values(model)
    modified = SubPixelConv()(model).modified
    close(values(model), before)
    assert modified != any(node.op_type == "ConvTranspose" for node in model.graph)
    assert not SubPixelConv()(model).modified


@pytest.mark.parametrize(("kernel", "cut", "taps"), [(4, (1, 1, 1, 1), 2), (3, (0, 0, 1, 1), 2), (2, (0, 0, 0, 0), 1)])
def test_usual_transposed_convs_need_the_least_kernel(kernel: int, cut: tuple[int, ...], taps: int) -> None:
    draft = Draft((1, 3, 5, 6))
    draft.add("ConvTranspose", "x", draft.random(3, 2, kernel, kernel), strides=[2, 2], pads=cut)
    model = draft.model()
    assert exact(model, SubPixelConv)["ConvTranspose"] == 0
    conv = next(node for node in model.graph if node.op_type == "Conv")
    assert conv.inputs[1] is not None and conv.inputs[1].shape == (8, 3, taps, taps)


def test_wide_transposed_convs_take_no_product_more() -> None:
    draft = Draft((1, 3, 5, 6))
    draft.add("ConvTranspose", "x", draft.random(3, 16, 3, 4), strides=[2, 2], pads=[1, 1, 0, 1])
    model = draft.model()
    assert exact(model, SubPixelConv) == {"Conv": 4, "Concat": 1, "DepthToSpace": 1}
    taps = [list(node.inputs[1].shape)[2:] for node in model.graph if node.op_type == "Conv"]  # type: ignore[arg-type,union-attr]
    assert taps == [[1, 2], [1, 2], [2, 2], [2, 2]]


def test_transposed_convs_that_stay() -> None:
    for attributes in ({"group": 3}, {"strides": [2, 1]}, {}, {"strides": [2, 2], "output_shape": [10, 12]}):
        draft = Draft((1, 3, 5, 6))
        draft.add("ConvTranspose", "x", draft.random(3, 2, 3, 3), **attributes)
        exact(draft.model(), SubPixelConv, applies=False)


@quick
@given(st.integers(7, 9), st.integers(7, 9), st.integers(1, 4), st.integers(0, 4), st.booleans(), st.integers(1, 2))
def test_thin_convs_are_packed(rows: int, columns: int, out: int, before: int, bias: bool, dilation: int) -> None:
    draft = Draft((1, 3, 18, 22), rows * 10 + columns)
    after = [(before + (n - 1) * d) % 2 for n, d in ((rows, dilation), (columns, 1))]  # an even size comes out
    terms = [draft.random(out)] if bias else []
    weight = draft.random(out, 3, rows, columns)
    draft.add("Conv", "x", weight, *terms, pads=[before, before, *after], dilations=[dilation, 1])
    found = exact(draft.model(), PackThinConv)
    assert found == {"Conv": 1, "DepthToSpace": 1}


def test_convs_that_are_not_packed() -> None:
    for case in ("odd", "wide", "small kernel", "stride", "groups"):
        draft = Draft((1, 4, 21 if case == "odd" else 20, 22))
        kernel = 3 if case == "small kernel" else 9
        out, depth = {"wide": (8, 4), "groups": (4, 1)}.get(case, (3, 4))
        draft.add(
            "Conv", "x", draft.random(out, depth, kernel, kernel),
            pads=[kernel // 2] * 4, strides=[2, 2] if case == "stride" else [1, 1], group=4 if case == "groups" else 1,
        )  # fmt: skip
        exact(draft.model(), PackThinConv, applies=False)


@quick
@given(
    st.sampled_from(["", "constant", "edge", "reflect"]),
    st.integers(2, 3),
    st.integers(1, 5),
    st.integers(1, 4),
    pads,
    st.sampled_from(["asymmetric floor", "half_pixel round_prefer_floor", "half_pixel ceil"]),
)
def test_enlarging_comes_last(
    pad: str, factor: int, rows: int, columns: int, amounts: tuple[int, ...], way: str
) -> None:
    draft = Draft((1, 3, 5, 6), rows * 10 + columns)
    convention, rounding = way.split()
    draft.add(
        "Resize", "x", "", draft.array([1, 1, factor, factor]),
        mode="nearest", coordinate_transformation_mode=convention, nearest_mode=rounding,
    )  # fmt: skip
    if pad:
        draft.add("Pad", draft.last, draft.ints(0, 0, *amounts[:2], 0, 0, *amounts[2:]), mode=pad)
    own = [] if pad else list(amounts)
    draft.add("Conv", draft.last, draft.random(2, 3, rows, columns), draft.random(2), **({"pads": own} if own else {}))
    model = draft.model()
    before = values(model)
    modified = EnlargeLast()(model).modified
    close(values(model), before)
    assert modified != any(node.op_type == "Resize" for node in model.graph)
    assert not EnlargeLast()(model).modified


@pytest.mark.parametrize("pad", ["zeros", "edge", "reflect"])
def test_enlarging_with_a_3x3_kernel_needs_2x2(pad: str) -> None:
    draft = Draft((1, 3, 5, 6))
    draft.add(
        "Resize", "x", "", draft.array([1, 1, 2, 2]), coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )
    if pad != "zeros":
        draft.add("Pad", draft.last, draft.ints(0, 0, 1, 1, 0, 0, 1, 1), mode=pad)
    draft.add("Conv", draft.last, draft.random(2, 3, 3, 3), pads=[int(pad == "zeros")] * 4)
    model = draft.model()
    assert exact(model, EnlargeLast)["Resize"] == 0
    conv = next(node for node in model.graph if node.op_type == "Conv")
    assert conv.inputs[1] is not None and conv.inputs[1].shape == (8, 3, 2, 2)


@pytest.mark.parametrize("case", ["linear", "stride", "read twice", "mirrors two", "ones around", "uneven"])
def test_enlarging_that_stays(case: str) -> None:
    draft = Draft((1, 3, 5, 6))
    grown = draft.add(
        "Resize", "x", "", draft.array([1, 1, 2, 3 if case == "uneven" else 2]),
        mode="linear" if case == "linear" else "nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip
    if case in ("mirrors two", "ones around"):
        inputs = [draft.array(1)] if case == "ones around" else []
        mode = "constant" if case == "ones around" else "reflect"
        draft.add("Pad", draft.last, draft.ints(0, 0, 2, 2, 0, 0, 2, 2), *inputs, mode=mode)
    draft.add("Conv", draft.last, draft.random(2, 3, 3, 3), strides=[2, 2] if case == "stride" else [1, 1])
    exact(draft.model(*([grown] if case == "read twice" else [])), EnlargeLast, applies=False)


steps = st.lists(
    st.sampled_from(
        ["norm", "group norm", "Relu", "Tanh", "LeakyRelu", "Clip", "Mul", "number", "rSub", "residual", "Concat"]
    ),
    max_size=5,
)


def between(draft: Draft, chosen: list[str]) -> int:
    """Put operators behind a pixel shuffle of 4 channels; how many channels come out."""
    channels = 4
    for step in chosen:
        match step:
            case "norm":
                draft.add("InstanceNormalization", draft.last, draft.random(channels), draft.random(channels))
            case "group norm":
                draft.add("Reshape", draft.last, draft.ints(1, 2, -1))
                draft.add("InstanceNormalization", draft.last, draft.random(2), draft.random(2))
                draft.add("Reshape", draft.last, draft.ints(1, channels, 8, 12))
            case "Clip":
                draft.add("Clip", draft.last, draft.array(-1), draft.array(1))
            case "Mul":
                draft.add("Mul", draft.last, draft.random(channels, 1, 1))
            case "number":
                draft.add("Add", draft.array(0.5), draft.last)
            case "rSub":
                draft.add("Sub", draft.random(1, channels, 1, 1), draft.last)
            case "residual" | "Concat":
                first = draft.last
                small = draft.add("Conv", "x", draft.random(16 * channels // 4, 3, 1, 1))
                draft.add("DepthToSpace", small, blocksize=2, mode="CRD")
                if step == "Concat":
                    draft.add("Concat", draft.last, first, axis=1)
                    channels *= 2
                else:
                    draft.add("Add", first, draft.last)
            case _:
                draft.add(step, draft.last)
    return channels


@quick
@given(steps, st.integers(1, 4), st.integers(0, 2))
def test_packed_pictures_stay_packed(chosen: list[str], half: int, before: int) -> None:
    draft = Draft((1, 3, 4, 6), len(chosen))
    draft.add("Conv", "x", draft.random(16, 3, 1, 1))
    draft.add("DepthToSpace", draft.last, blocksize=2, mode="CRD")
    channels = between(draft, chosen)
    kernel = 2 * half
    before = min(before, kernel - 2)
    pads = [before, before, kernel - 2 - before, kernel - 2 - before]
    draft.add("Conv", draft.last, draft.random(3, channels, kernel, kernel), strides=[2, 2], pads=pads)
    model = draft.model()
    zeros = ((half + before % 2) / half) ** 2
    if zeros > MOST_ZEROS:
        exact(model, KeepPacked, applies=False)
    else:
        assert exact(model, KeepPacked)["DepthToSpace"] == 0


@pytest.mark.parametrize(
    "case", ["read twice", "other order", "other block", "a number a pixel", "pad", "stride", "zeros"]
)
def test_pictures_that_are_unpacked(case: str) -> None:
    draft = Draft((1, 3, 4, 4))
    draft.add("Conv", "x", draft.random(16, 3, 1, 1))
    block = 4 if case == "other block" else 2
    picture = draft.add("DepthToSpace", draft.last, blocksize=block, mode="DCR" if case == "other order" else "CRD")
    if case == "a number a pixel":
        draft.add("Mul", picture, draft.random(8, 8))
    if case == "pad":
        draft.add("Pad", picture, draft.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect")
    channels = 1 if case == "other block" else 4
    kernel = 3 if case == "zeros" else 4
    draft.add("Conv", draft.last, draft.random(3, channels, kernel, kernel), strides=[1 if case == "stride" else 2] * 2)
    exact(draft.model(*([picture] if case == "read twice" else [])), KeepPacked, applies=False)


def test_a_tail_of_two_packed_layers() -> None:
    """A transposed convolution, a norm, a large thin convolution: one shuffle is left, at the end."""
    draft = Draft((1, 8, 6, 8))
    draft.add("ConvTranspose", "x", draft.random(8, 4, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1])
    draft.add("InstanceNormalization", draft.last, draft.random(4), draft.random(4))
    draft.add("Relu", draft.last)
    draft.add("Conv", draft.last, draft.random(3, 4, 9, 9), draft.random(3), pads=[4, 4, 4, 4])
    draft.add("Tanh", draft.last)
    model = draft.model()
    before = values(model)
    assert apply(model, reversed(REWRITES)) == ("pack-thin-conv", "keep-packed")
    close(values(model), before)
    ops = [node.op_type for node in model.graph]
    assert ops == ["Conv", "Reshape", "InstanceNormalization", "Reshape", "Relu", "Conv", "DepthToSpace", "Tanh"]
    assert apply(model, REWRITES) == ()


def test_rewrites_are_named() -> None:
    with pytest.raises(InputError, match="no rewrite 'faster'"):
        apply(ir.Model(ir.Graph([], [], nodes=[]), ir_version=10), ["faster"])
    for target in TARGETS.values():
        assert set(target.rewrites) <= set(REWRITES)


def test_every_tap_of_a_packed_kernel_is_one_of_the_original() -> None:
    draft = Draft((1, 2, 10, 10))
    weight = draft.rng.standard_normal((3, 2, 9, 9)).astype(np.float32)
    draft.add("Conv", "x", draft.array(weight), pads=[4] * 4)
    model = draft.model()
    PackThinConv()(model)
    conv = next(node for node in model.graph if node.op_type == "Conv")
    packed = np.asarray(conv.inputs[1].const_value.numpy())  # type: ignore[union-attr]
    for channel in range(12):
        found = np.sort(packed[channel][packed[channel] != 0])
        np.testing.assert_array_equal(found, np.sort(weight[channel // 4].reshape(-1)))
