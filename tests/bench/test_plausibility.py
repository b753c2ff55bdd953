from collections.abc import Callable
from dataclasses import replace

import pytest

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.measure import measure
from pocketlens.bench.plausibility import implausible, peak_gflops
from tests.bench.cases import QUICK
from tests.bench.samples import HOST

PI = replace(HOST, simd=("asimd", "asimddp"), max_mhz=2400.0)


def test_the_bound_is_cores_times_frequency_times_width() -> None:
    assert peak_gflops(PI) == 4 * 2.4 * 16
    assert peak_gflops(PI, "int8") == 4 * peak_gflops(PI)
    assert peak_gflops(replace(PI, simd=("avx512f", "avx2"))) == 4 * 2.4 * 64
    assert peak_gflops(replace(PI, simd=(), max_mhz=None)) == 4 * 6 * 64


@pytest.mark.parametrize(("macs", "ms", "lies"), [(8_300_000_000, 1.0, True), (8_300_000_000, 120.0, False)])
def test_what_a_processor_cannot_do_is_said(macs: int, ms: float, lies: bool) -> None:
    why = implausible(macs, ms, PI)
    assert bool(why) == lies
    if lies:
        assert "8.3 GMACs" in why and "16,600 GFLOP/s" in why and "4 cores" in why


def test_a_measurement_that_lies_is_a_failure(make_case: Callable[..., BenchmarkCase]) -> None:
    honest, lying = measure([make_case(macs=4_000_000), make_case(artifact="lies", macs=10**13)], QUICK).results
    assert honest.failure is None and honest.artifact.macs == 4_000_000
    assert lying.failure is not None and "cannot do more than" in lying.failure
