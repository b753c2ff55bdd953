"""Cubic and other resizes that TFLite and Core ML have no operator for: the same values as onnxruntime's."""

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters.resize_matrix import COORDINATES, MAX_BYTES, resize_matrix, why_not
from tests.converters.graph_builder import GraphBuilder, run

SIZES = [((6, 9), (12, 18)), ((6, 9), (11, 5)), ((7, 4), (3, 13))]
WAYS: list[dict[str, Any]] = [
    {"mode": "cubic"},
    {"mode": "cubic", "cubic_coeff_a": -0.5},
    {"mode": "cubic", "exclude_outside": 1},
    {"mode": "cubic", "cubic_coeff_a": -0.3, "exclude_outside": 1},
    {"mode": "cubic", "antialias": 1},
    {"mode": "linear", "antialias": 1},
    {"mode": "linear"},
]


def resized(before: tuple[int, int], after: tuple[int, int], **attributes: Any) -> ir.Model:
    builder = GraphBuilder((1, 2, *before))
    builder.add("Resize", "x", "", "", builder.array([1, 2, *after], np.int64), **attributes)
    return builder.model()


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_values_are_onnxruntime_s(way: dict[str, Any], coordinates: str) -> None:
    for before, after in SIZES:
        model = resized(before, after, **way, coordinate_transformation_mode=coordinates)
        [node] = [node for node in model.graph if node.op_type == "Resize"]
        shapes = (1, 2, *before), (1, 2, *after)
        assert why_not(node, *shapes) == ""
        x = np.random.default_rng(1).standard_normal((1, 2, *before)).astype(np.float32)
        rows, columns = (resize_matrix(node, axis, *shapes) for axis in (2, 3))
        np.testing.assert_allclose(rows @ x @ columns.T, run(model, {"x": x})[0], atol=2e-5)


def test_a_scale_of_its_own_is_taken() -> None:
    builder = GraphBuilder((1, 2, 6, 9))
    builder.add("Resize", "x", "", builder.array(np.array([1, 1, 1.7, 0.6], np.float32)), mode="cubic")
    model = builder.model()
    x = np.random.default_rng(1).standard_normal((1, 2, 6, 9)).astype(np.float32)
    [expected] = run(model, {"x": x})
    [node] = [node for node in model.graph if node.op_type == "Resize"]
    rows, columns = (resize_matrix(node, axis, x.shape, expected.shape) for axis in (2, 3))
    np.testing.assert_allclose(rows @ x @ columns.T, expected, atol=2e-5)


def test_what_cannot_be_a_matrix_is_said() -> None:
    huge = resized((6, 9), (11, 5), mode="cubic")
    [node] = [node for node in huge.graph if node.op_type == "Resize"]
    assert f"more than {MAX_BYTES:,}" in why_not(node, (1, 2, 2000, 9), (1, 2, 4000, 5))
    cropped = resized((6, 9), (11, 5), mode="linear", coordinate_transformation_mode="tf_crop_and_resize")
    [node] = [node for node in cropped.graph if node.op_type == "Resize"]
    assert "tf_crop_and_resize" in why_not(node, (1, 2, 6, 9), (1, 2, 11, 5))
