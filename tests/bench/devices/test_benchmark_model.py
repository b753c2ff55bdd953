"""The figures in the output of LiteRT's ``benchmark_model``."""

import pytest

from pocketlens.bench.devices.benchmark_model import parse
from pocketlens.bench.errors import WorkerError
from tests.bench.devices.recorded import sample


def test_benchmark_model() -> None:
    output = parse(sample("benchmark_model"))
    assert (output.count, output.init_ms, output.first_ms, output.memory_mb, output.applied) == (
        3,
        12.345,
        31.02,
        48.5469,
        True,
    )
    assert output.samples == (21.32, 22.3999, 21.105)  # the middle one was 22.4; the mean has six digits


def test_benchmark_model_as_it_was_recorded() -> None:
    output = parse(sample("benchmark_model-2.14"))
    assert (output.count, output.init_ms, output.first_ms, output.memory_mb, output.applied) == (
        3,
        0.963,
        61.753,
        49.3906,
        None,
    )
    assert output.samples == (40.721, 39.42, 34.669) and output.unknown == ("--use_xnnpack=true",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ERROR: Failed to load model x.tflite", "Failed to load model"),
        ("sh: benchmark_model: Permission denied", "denied"),
        ("", "it printed nothing"),
        ("INFO: STARTING!\nINFO: count=3 curr=5", "count=3"),
    ],
)
def test_a_tool_that_failed(text: str, message: str) -> None:
    with pytest.raises(WorkerError, match=message):
        parse(text)
