"""Conformance of what looks at neighbours."""

import pytest

from tests.conformance.conform import Record, conform, parameters


@pytest.mark.parametrize(("operator", "target"), parameters("convolution", "padding", "pooling", "resize"))
def test_conformance(operator: str, target: str, record_property: Record) -> None:
    conform(operator, target, record_property)
