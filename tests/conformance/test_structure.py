"""Conformance of what moves or sums up."""

import pytest

from tests.conformance.conform import Record, conform, parameters


@pytest.mark.parametrize(
    ("operator", "target"), parameters("shapes", "normalization", "others", "reductions", "depth_to_space")
)
def test_conformance(operator: str, target: str, record_property: Record) -> None:
    conform(operator, target, record_property)
