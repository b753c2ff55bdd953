import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.converters.tflite.harness import assert_exact, compare, emit_bytes, floats, kernel, model, node, only_refusal

GEOMETRIES = [
    # kernel, stride, pads, dilation
    (1, 1, (0, 0, 0, 0), 1),
    (1, 2, (0, 0, 0, 0), 1),
    (3, 1, (0, 0, 0, 0), 1),
    (3, 1, (1, 1, 1, 1), 1),
    (3, 2, (1, 1, 1, 1), 1),
    (3, 2, (0, 0, 1, 1), 1),
    (4, 2, (1, 1, 1, 1), 1),
    (5, 3, (2, 1, 0, 2), 1),
    (3, 1, (2, 2, 2, 2), 2),
    (9, 1, (4, 4, 4, 4), 1),
]


@pytest.mark.parametrize(("size", "stride", "pads", "dilation"), GEOMETRIES)
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_convolution(size: int, stride: int, pads: tuple[int, ...], dilation: int, groups: int) -> None:
    outcome = assert_exact(
        node(
            "Conv",
            "image",
            kernel(16, 8 // groups, size, size),
            floats(16),
            pads=pads,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            group=groups,
        )
    )
    assert set(outcome.operators) <= {"PAD", "DEPTHWISE_CONV_2D" if groups == 8 else "CONV_2D"}


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 0, 1, 1)])
def test_no_pad_operator_where_same_or_valid_is_meant(pads: tuple[int, ...]) -> None:
    stride = 2 if pads == (0, 0, 1, 1) else 1
    outcome = assert_exact(node("Conv", "image", kernel(8, 8, 3, 3), pads=pads, strides=[stride] * 2))
    assert outcome.operators == {"CONV_2D": 1}


def test_no_pad_operator_for_padding_that_is_never_read() -> None:
    # 4 x 4, stride 4: of one more row and column nothing is used.
    outcome = assert_exact(node("Conv", "image", kernel(8, 8, 4, 4), pads=(0, 0, 1, 1), strides=[4, 4]))
    assert outcome.operators == {"CONV_2D": 1}


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_auto_pad(auto_pad: str) -> None:
    assert_exact(node("Conv", "image", kernel(5, 8, 4, 4), auto_pad=auto_pad))


@pytest.mark.parametrize(
    ("inputs", "outputs", "groups", "left"),
    [(8, 16, 4, 2), (12, 12, 4, 1), (12, 24, 2, 1), (16, 32, 4, 4), (9, 6, 3, 1)],
)
def test_groups_are_of_a_multiple_of_four_channels(inputs: int, outputs: int, groups: int, left: int) -> None:
    """LiteRT's GPU engine computes others wrongly: neighbouring groups become one."""
    built = model(node("Conv", "image", kernel(outputs, inputs // groups, 3, 3), group=groups), shape=(1, inputs, 6, 7))
    file = emit_bytes(built)
    interpreter = Interpreter(model_content=file, num_threads=1)
    (filters,) = (d["shape"] for d in interpreter.get_tensor_details() if len(d["shape"]) == 4 and d["shape"][1] == 3)
    assert filters.tolist() == [outputs, 3, 3, inputs // left]
    assert compare(built).error < 2e-6


def test_unequal_axes() -> None:
    assert_exact(node("Conv", "image", kernel(5, 8, 1, 3), pads=[0, 1, 0, 1], strides=[1, 2]))


def test_computed_weights_are_refused() -> None:
    nodes = node("Abs", out="a"), node("Conv", "image", "a")
    assert only_refusal(model(*nodes, shape=(1, 8, 3, 3))) == "its weights are computed, not constant"
