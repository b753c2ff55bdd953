"""Every lowering against onnxruntime: the file is written, read back and played by Apple's runtime."""

from pathlib import Path

import pytest

from pocketlens.quality import psnr
from tests.bands import HEIGHT, banded
from tests.converters.coreai.harness import needs_core_ai, run_both
from tests.converters.coreml.operator_cases import FAMILIES

pytestmark = needs_core_ai
LEAST = {"fp32": 100.0, "fp16": 50.0}
"""PSNR in dB of an operator."""


@pytest.mark.parametrize("precision", LEAST)
@pytest.mark.parametrize("family", FAMILIES)
def test_operators(tmp_path: Path, family: str, precision: str) -> None:
    if (family, precision) == ("steps", "fp16"):
        pytest.skip("in half precision a value beside a jump may land on its other side")
    cases = FAMILIES[family]
    expected, computed = run_both(banded(*cases.values()), precision, tmp_path)
    bands = {name: slice(i * HEIGHT, (i + 1) * HEIGHT) for i, name in enumerate(cases)}
    decibels = {name: psnr(expected[rows], computed[rows]) for name, rows in bands.items()}
    assert {name: score for name, score in decibels.items() if score < LEAST[precision]} == {}
