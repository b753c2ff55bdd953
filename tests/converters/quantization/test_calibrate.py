"""What values are on pictures."""

import pytest

from pocketlens.converters.quantization import insert
from pocketlens.converters.quantization.calibrate import calibrate
from pocketlens.converters.quantization.plan import (
    default_plan,
)
from pocketlens.targets import TARGETS
from tests.generators import picture, small_graph

CALIBRATE = [picture(32, 48, seed) for seed in (1, 2, 3)]


def test_memory_is_bounded_by_playing_values_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small_graph()
    names = insert.values_to_calibrate(graph, default_plan("int8"), TARGETS["onnx"].quantizers)
    at_once = calibrate(graph, names, CALIBRATE)
    monkeypatch.setattr("pocketlens.converters.quantization.calibrate.MAX_BYTES", 1)
    in_turn = calibrate(graph, names, CALIBRATE)
    assert at_once.keys() == in_turn.keys()
    for name in at_once:
        assert at_once[name].range("mse") == in_turn[name].range("mse")
