from pathlib import Path

import pytest

from pocketlens.converters.coreml.lowerings import reductions
from pocketlens.quality import psnr
from tests.bands import Case, banded, ints
from tests.converters.coreml.harness import HALF, operations, run_both


def test_a_mean_of_many_values_is_taken_in_steps_in_half_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reductions, "SAFE_SUM", 100)
    case = Case("r = ReduceMean <keepdims = 0> (x, axes)\nu = Unsqueeze(r, axes)\ny = Sub(x, u)", {"axes": ints(2, 3)})
    expected, computed = run_both(banded(case), "fp16", tmp_path)
    assert psnr(expected, computed) > HALF
    assert [op.type for op in operations(tmp_path / "package.mlpackage")].count("reduce_mean") == 2
