"""Every lowering against onnxruntime: the package is written, read back and run by the interpreter."""

from pathlib import Path

import pytest

from pocketlens.converters.coreml.lowerings import TABLE
from tests.bands import operators
from tests.converters.coreml.harness import EXACT, HALF, scores
from tests.converters.coreml.operator_cases import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_operators_are_exact(tmp_path: Path, family: str) -> None:
    decibels = scores(FAMILIES[family], "fp32", tmp_path)
    assert {name: score for name, score in decibels.items() if score < EXACT} == {}


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "steps"])
def test_operators_in_half_precision(tmp_path: Path, family: str) -> None:
    decibels = scores(FAMILIES[family], "fp16", tmp_path)
    assert {name: score for name, score in decibels.items() if score < HALF} == {}


def test_every_lowering_is_tested() -> None:
    elsewhere = {"QuantizeLinear", "DequantizeLinear"}  # test_quantization.py
    elsewhere |= {"ArgMax", "ArgMin", "CumSum", "ReduceProd", "TopK"}  # tests/conformance/test_ordering.py
    tested = {name for cases in FAMILIES.values() for name in operators(cases)}
    assert set(TABLE.operators()) - elsewhere - tested == set()
