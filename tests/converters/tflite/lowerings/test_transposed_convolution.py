import pytest

from tests.converters.tflite.harness import assert_exact, floats, kernel, node

TRANSPOSED = [
    # kernel, stride, pads, output padding, operators
    (2, 2, (0, 0, 0, 0), 0, {"TRANSPOSE_CONV": 1}),
    (3, 2, (0, 0, 1, 1), 0, {"TRANSPOSE_CONV": 1}),
    (3, 2, (0, 0, 0, 0), 0, {"TRANSPOSE_CONV": 1}),
    (4, 2, (1, 1, 1, 1), 0, {"TRANSPOSE_CONV": 1}),
    (3, 1, (1, 1, 1, 1), 0, {"TRANSPOSE_CONV": 1}),
    (8, 4, (2, 2, 2, 2), 0, {"TRANSPOSE_CONV": 1}),
    (4, 4, (0, 0, 0, 0), 0, {"TRANSPOSE_CONV": 1}),
    (3, 2, (1, 1, 1, 1), 1, {"TRANSPOSE_CONV": 1, "SLICE": 2}),
    (3, 2, (1, 1, 1, 1), 0, {"TRANSPOSE_CONV": 1}),
    (5, 2, (2, 2, 2, 2), 1, {"TRANSPOSE_CONV": 1, "SLICE": 2}),
    (4, 1, (1, 1, 2, 2), 0, {"TRANSPOSE_CONV": 1}),
    (3, 2, (2, 1, 0, 1), 1, {"TRANSPOSE_CONV": 1, "SLICE": 2}),
]


@pytest.mark.parametrize(("size", "stride", "pads", "extra", "operators"), TRANSPOSED)
def test_transposed_convolution(
    size: int, stride: int, pads: tuple[int, ...], extra: int, operators: dict[str, int]
) -> None:
    settings = {"pads": pads, "strides": [stride] * 2, "output_padding": [extra] * 2}
    outcome = assert_exact(node("ConvTranspose", "image", kernel(8, 5, size, size), floats(5), **settings))
    assert outcome.operators == operators


@pytest.mark.parametrize(("size", "stride", "pads", "extra", "_"), TRANSPOSED)
@pytest.mark.parametrize("groups", [2, 8])
def test_grouped_transposed_convolution(
    size: int, stride: int, pads: tuple[int, ...], extra: int, _: dict[str, int], groups: int
) -> None:
    settings = {"pads": pads, "strides": [stride] * 2, "output_padding": [extra] * 2, "group": groups}
    outcome = assert_exact(node("ConvTranspose", "image", kernel(8, 2, size, size), floats(2 * groups), **settings))
    assert "TRANSPOSE_CONV" not in outcome.operators


def test_dilated_transposed_convolution() -> None:
    assert_exact(node("ConvTranspose", "image", kernel(8, 4, 3, 3), dilations=[2, 2]))


def test_output_shape_decides_the_pads() -> None:
    for auto_pad in ("NOTSET", "SAME_UPPER", "SAME_LOWER"):
        nodes = node(
            "ConvTranspose", "image", kernel(8, 4, 4, 4), strides=[2, 2], output_shape=[25, 33], auto_pad=auto_pad
        )
        assert_exact(nodes)
