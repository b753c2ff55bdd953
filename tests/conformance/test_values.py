"""Conformance of functions and products."""

import pytest

from tests.conformance.conform import Record, conform, parameters


@pytest.mark.parametrize(("operator", "target"), parameters("arithmetic", "activations", "linear", "quantization"))
def test_conformance(operator: str, target: str, record_property: Record) -> None:
    conform(operator, target, record_property)
