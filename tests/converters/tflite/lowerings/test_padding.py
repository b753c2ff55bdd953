import numpy as np
import pytest

from tests.converters.tflite.harness import (
    assert_exact,
    compare,
    kernel,
    model,
    node,
    only_refusal,
)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_padding_of_each_side(mode: str) -> None:
    outcome = assert_exact(node("Pad", "image", np.array([0, 0, 3, 2, 0, 0, 1, 4]), mode=mode))
    assert "MIRROR_PAD" not in outcome.operators


def test_a_border_wider_than_one_concatenation() -> None:
    assert_exact(node("Pad", "image", np.array([0, 0, 9, 9, 0, 0, 9, 9]), mode="reflect"))


def test_padding_of_chosen_axes_of_channels_and_by_less_than_nothing() -> None:
    assert_exact(node("Pad", "image", np.array([1, 2, 3, 4]), "", np.array([2, -1]), mode="reflect"))
    assert_exact(node("Pad", "image", np.array([0, 1, 0, 0, 0, 3, 0, 0])))
    assert_exact(node("Pad", "image", np.array([0, 0, -1, 2, 0, 0, 1, -2])))


def test_padding_with_a_number() -> None:
    assert compare(model(node("Pad", "image", np.array([0, 0, 3, 2, 0, 0, 1, 4]), np.float32(2.5)))).error == 0


def test_a_number_in_front_of_a_convolution_is_kept_apart_from_it() -> None:
    """LiteRT's GPU engine would take it for zeros."""
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    outcome = compare(
        model(
            node("Pad", "image", pads, np.float32(2.5), out="p"),
            node("Conv", "p", kernel(4, 8, 3, 3), out="c"),
            node("Pad", "c", pads, np.float32(0)),
        )
    )
    assert outcome.error < 2e-6 and (outcome.operators["PADV2"], outcome.operators["MAXIMUM"]) == (1, 1)


def test_a_border_as_wide_as_the_picture_is_refused() -> None:
    # Shape inference lets it pass; there is no such mirror image.
    assert "mirrors 12 of 12" in only_refusal(
        model(node("Pad", "image", np.array([0, 0, 12, 0, 0, 0, 0, 0]), mode="reflect"))
    )
