import numpy as np
import pytest

from tests.converters.tflite.harness import (
    assert_exact,
    compare,
    model,
    node,
    only_refusal,
)


@pytest.mark.parametrize("convention", ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("scale", [2.0, 4.0, 0.5, 1.5])
def test_bilinear(convention: str, scale: float) -> None:
    scales = np.array([1, 1, scale, scale], np.float32)
    assert_exact(node("Resize", "image", "", scales, mode="linear", coordinate_transformation_mode=convention))


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
    assert "'cubic'" in only_refusal(model(node("Resize", "image", "", half, mode="cubic")))
    assert "antialiasing" in only_refusal(model(node("Resize", "image", "", half, mode="linear", antialias=1)))


def test_a_scale_that_is_not_the_ratio_of_the_sizes_is_refused() -> None:
    scales = np.array([1, 1, 1.55, 1.55], np.float32)
    assert "is not" in only_refusal(model(node("Resize", "image", "", scales, mode="linear")))
