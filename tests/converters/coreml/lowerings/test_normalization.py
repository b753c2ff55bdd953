from pathlib import Path

import pytest

from pocketlens.quality import psnr
from tests.bands import Case, banded, floats
from tests.converters.coreml.harness import HALF, run_both


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_flat_channel_stays_a_number_with_a_tiny_epsilon(tmp_path: Path, precision: str) -> None:
    nodes = "z = Mul(x, zero)\nn = InstanceNormalization <epsilon = 1e-12> (z, g, b)\ny = Add(n, x)"
    constants = {"zero": floats(1, 0, 1).reshape(3, 1, 1), "g": floats(1, 1, 1), "b": floats(0, 0, 0)}
    expected, computed = run_both(banded(Case(nodes, constants)), precision, tmp_path)
    assert psnr(expected, computed) > HALF
