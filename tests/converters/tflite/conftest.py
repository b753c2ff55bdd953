"""A small generator's file, as bytes and as the schema reads it."""

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.converters.tflite.harness import LABELS, emit_bytes
from tests.generators import small_graph


@pytest.fixture(scope="module")
def data() -> bytes:
    return emit_bytes(small_graph(), labels=LABELS)


@pytest.fixture(scope="module")
def read(data: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(data)
