"""Conformance of what moves or sums up."""

import pytest

from tests.conformance.conform import Record, conform, parameters


@pytest.mark.parametrize(("operator", "target"), parameters("moves", "norms", "others", "reductions", "shuffles"))
def test_conformance(operator: str, target: str, record_property: Record) -> None:
    conform(operator, target, record_property)
