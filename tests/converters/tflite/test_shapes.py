import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.converters.tflite import layout
from tests.converters.tflite.bench import compare, exact, floats, model, node, refusal


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_padding_of_each_side(mode: str) -> None:
    outcome = exact(node("Pad", "image", np.array([0, 0, 3, 2, 0, 0, 1, 4]), mode=mode))
    assert "MIRROR_PAD" not in outcome.operators


def test_a_border_wider_than_one_concatenation() -> None:
    exact(node("Pad", "image", np.array([0, 0, 9, 9, 0, 0, 9, 9]), mode="reflect"))


def test_padding_of_chosen_axes_of_channels_and_by_less_than_nothing() -> None:
    exact(node("Pad", "image", np.array([1, 2, 3, 4]), "", np.array([2, -1]), mode="reflect"))
    exact(node("Pad", "image", np.array([0, 1, 0, 0, 0, 3, 0, 0])))
    exact(node("Pad", "image", np.array([0, 0, -1, 2, 0, 0, 1, -2])))


def test_padding_with_a_number() -> None:
    assert compare(model(node("Pad", "image", np.array([0, 0, 3, 2, 0, 0, 1, 4]), np.float32(2.5)))).error == 0


def test_a_border_as_wide_as_the_picture_is_refused() -> None:
    # Shape inference lets it pass; there is no such mirror image.
    assert "mirrors 12 of 12" in refusal(
        model(node("Pad", "image", np.array([0, 0, 12, 0, 0, 0, 0, 0]), mode="reflect"))
    )


def test_slices() -> None:
    exact(node("Slice", "image", np.array([1, 2]), np.array([9, -1]), np.array([2, 3])))
    exact(node("Slice", "image", np.array([2]), np.array([7]), np.array([1])))
    assert exact(node("Slice", "image", np.array([0]), np.array([99]), np.array([2]), out="a"), node("Neg", "a"))


@pytest.mark.parametrize(("start", "end", "step"), [(1, 100, 2), (-1, -1000, -1), (9, 2, -3)])
def test_slices_with_steps(start: int, end: int, step: int) -> None:
    nodes = node("Slice", "image", np.array([start]), np.array([end]), np.array([3]), np.array([step]))
    assert compare(model(nodes)).error == 0


def test_many_pictures_side_by_side() -> None:
    exact(node("Neg", out="n"), node("Concat", *["image", "n"] * 4, floats(1, 2, 12, 16), axis=1))
    exact(node("Neg", out="n"), node("Concat", "image", "n", axis=-1))


def test_uneven_split() -> None:
    exact(node("Split", "image", np.array([3, 5]), out=("a", "b"), axis=1), node("Concat", "b", "a", axis=1))


def test_expand() -> None:
    exact(node("GlobalAveragePool", out="a"), node("Expand", "a", np.array([1, 8, 12, 16])))


def test_pixel_shuffles() -> None:
    for mode in ("DCR", "CRD"):
        exact(node("DepthToSpace", blocksize=2, mode=mode))
    exact(node("SpaceToDepth", blocksize=2))


def test_a_convolution_writes_the_order_that_a_pixel_shuffle_wants() -> None:
    conv = node("Conv", "image", floats(12, 8, 3, 3) * np.float32(0.2), floats(12), out="a")
    shuffle = {"blocksize": 2, "mode": "CRD"}
    assert exact(conv, node("DepthToSpace", "a", **shuffle)).operators == {"CONV_2D": 1, "DEPTH_TO_SPACE": 1}
    outcome = exact(conv, node("Relu", "a", out="b"), node("Tanh", "b", out="c"), node("DepthToSpace", "c", **shuffle))
    assert outcome.operators == {"CONV_2D": 1, "TANH": 1, "DEPTH_TO_SPACE": 1}


def test_that_order_is_not_forced_on_another_reader() -> None:
    conv = node("Conv", "image", floats(12, 8, 3, 3) * np.float32(0.2), floats(12), out="a")
    shuffled = (
        node("DepthToSpace", "a", blocksize=2, mode="CRD", out="b"),
        node("SpaceToDepth", "b", blocksize=2, out="c"),
    )
    assert exact(conv, *shuffled, node("Add", "a", "c")).operators["CONV_2D"] == 2


@pytest.mark.parametrize("convention", ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("scale", [2.0, 4.0, 0.5, 1.5])
def test_bilinear(convention: str, scale: float) -> None:
    scales = np.array([1, 1, scale, scale], np.float32)
    exact(node("Resize", "image", "", scales, mode="linear", coordinate_transformation_mode=convention))


@pytest.mark.parametrize("convention", ["half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("size", [(24, 32), (6, 8), (18, 24), (17, 21), (36, 64)])
def test_nearest(convention: str, rounding: str, size: tuple[int, int]) -> None:
    scales = np.array([1, 1, size[0] / 12, size[1] / 16], np.float32)
    options = {"mode": "nearest", "coordinate_transformation_mode": convention, "nearest_mode": rounding}
    built = model(node("Resize", "image", "", "", np.array([1, 8, *size]), **options))
    outcome = compare(built)
    assert outcome.error == 0
    if size == (24, 32) and (convention, rounding) == ("asymmetric", "floor"):
        assert outcome.operators == {"RESIZE_NEAREST_NEIGHBOR": 1}
    assert scales[2] * 12 == pytest.approx(size[0])


def test_cubic_and_antialiased_resizing_are_refused() -> None:
    half = np.array([1, 1, 0.5, 0.5], np.float32)
    assert "'cubic'" in refusal(model(node("Resize", "image", "", half, mode="cubic")))
    assert "antialiasing" in refusal(model(node("Resize", "image", "", half, mode="linear", antialias=1)))


def test_a_scale_that_is_not_the_ratio_of_the_sizes_is_refused() -> None:
    scales = np.array([1, 1, 1.55, 1.55], np.float32)
    assert "is not" in refusal(model(node("Resize", "image", "", scales, mode="linear")))


@pytest.mark.parametrize("operator", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [1], [1, 2, 3], [3]], ids=str)
def test_reductions(operator: str, axes: list[int]) -> None:
    exact(node(operator, "image", np.array(axes)))


def test_reductions_that_drop_axes() -> None:
    exact(node("ReduceMean", "image", np.array([2, 3]), keepdims=0))
    exact(node("GlobalAveragePool"))
    exact(node("GlobalMaxPool"))
    assert exact(node("ReduceMean", "image", np.array([3]), keepdims=0)).operators["TRANSPOSE"] == 1


POOLS = [
    (2, 2, 0, 0),
    (3, 1, 1, 0),
    (3, 2, 1, 0),
    (3, 2, 0, 1),
    (3, 2, 1, 1),
]


@pytest.mark.parametrize(("size", "stride", "pad", "ceil"), POOLS)
def test_pools(size: int, stride: int, pad: int, ceil: int) -> None:
    settings = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "ceil_mode": ceil}
    exact(node("MaxPool", **settings))
    for count in (0, 1):
        exact(node("AveragePool", count_include_pad=count, **settings))


def test_a_gate_of_fully_connected_layers() -> None:
    outcome = exact(
        node("GlobalAveragePool", out="a"),
        node("Flatten", "a", out="b"),
        node("Gemm", "b", floats(4, 8), floats(4), transB=1, alpha=0.5, out="c"),
        node("Relu", "c", out="d"),
        node("MatMul", "d", floats(4, 8), out="e"),
        node("Reshape", "e", np.array([1, 8, 1, 1]), out="f"),
        node("Mul", "image", "f"),
    )
    assert outcome.operators["FULLY_CONNECTED"] == 2


def test_reshapes_that_keep_the_order() -> None:
    exact(node("Reshape", "image", np.array([1, 8, 192, 1])))
    exact(node("GlobalAveragePool", out="a"), node("Squeeze", "a", np.array([2, 3]), out="b"), node("Neg", "b"))
    exact(node("Transpose", perm=[0, 1, 3, 2]))


def test_a_reshape_that_does_not_goes_through_the_graph_s_order() -> None:
    assert exact(node("Reshape", "image", np.array([1, -1]))).operators["TRANSPOSE"] == 1
    assert exact(node("Reshape", "image", np.array([1, 12, 16, 8]))).operators["TRANSPOSE"] == 2


@pytest.mark.parametrize("places", [[2, 0, 1], [-1, 3, 3], 4])
def test_channels_in_another_order(places: list[int] | int) -> None:
    nodes = [node("Gather", "image", np.array(places), axis=1, out="a"), node("Neg", "a")]
    assert compare(model(*nodes)).error == 0


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@settings(max_examples=200)
@given(shapes, shapes)
def test_same_order_is_what_moving_the_values_shows(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    values = np.arange(np.prod(before)).reshape(before)
    if np.prod(before) != np.prod(after):
        assert not layout.same_order(before, after)
        return
    moved = np.array_equal(layout.stored(values).ravel(), layout.stored(values.reshape(after)).ravel())
    assert layout.same_order(before, after) == moved
