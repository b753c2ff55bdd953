"""Conformance of what is computed in integers."""

import pytest

from tests.conformance.case import Case, Place, Weights
from tests.conformance.check import Outcome, check_integers
from tests.conformance.conform import Record, conform, parameters


@pytest.mark.parametrize(("operator", "target"), parameters("convolutions"))
def test_conformance(operator: str, target: str, record_property: Record) -> None:
    conform(operator, target, record_property, integers=True)


def test_groups_of_a_transposed_convolution_share_their_scales() -> None:
    node = "y = ConvTranspose <strides = [2, 2], group = 3> (x, w, b)"
    case = Case(node, {"w": Weights((3, 2, 4, 4), 2.0), "b": Weights((6,), 0.5)}, Place(3, 4, 3, "Conv", "Conv"))
    assert check_integers(case, "onnx") is Outcome.RAN
