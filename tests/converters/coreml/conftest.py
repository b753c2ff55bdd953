"""A small generator's graph."""

import onnx_ir as ir
import pytest

from tests.generators import small_graph


@pytest.fixture(scope="module")
def small() -> ir.Model:
    return small_graph()
