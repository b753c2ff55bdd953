from typing import Any

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


@pytest.mark.parametrize(("channels", "scale"), [(1, 4.0), (3, 5.0), (3, 16.0)])
def test_rows_of_few_channels_are_a_convolution(channels: int, scale: float) -> None:
    scales = np.array([1, 1, scale, scale], np.float32)
    enlarged = model(node("Resize", "image", "", scales, mode="linear"), shape=(1, channels, 6, 9))
    outcome = compare(enlarged)
    assert outcome.error < 2e-6
    assert outcome.operators["CONV_2D"] == outcome.operators["RESIZE_BILINEAR"] == 1


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


@pytest.mark.parametrize(
    ("scale", "options"),
    [
        (2.0, {"mode": "cubic"}),
        (1.5, {"mode": "cubic", "cubic_coeff_a": -0.5, "coordinate_transformation_mode": "align_corners"}),
        (0.5, {"mode": "cubic", "exclude_outside": 1}),
        (0.5, {"mode": "linear", "antialias": 1}),
        (1.55, {"mode": "linear"}),
    ],
)
def test_what_has_no_kernel_is_two_matrices(scale: float, options: dict[str, Any]) -> None:
    outcome = compare(model(node("Resize", "image", "", np.array([1, 1, scale, scale], np.float32), **options)))
    assert outcome.error < 2e-6
    assert outcome.operators["BATCH_MATMUL"] == 2


def test_a_cropped_one_is_refused() -> None:
    inside = np.array([0, 0, 0.25, 0.25, 1, 1, 0.75, 0.75], np.float32)
    options = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
    cropped = model(node("Resize", "image", inside, np.array([1, 1, 2, 2], np.float32), **options))
    assert "tf_crop_and_resize" in only_refusal(cropped)
