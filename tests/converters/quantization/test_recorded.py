"""Statistics of the same graph, values and pictures are recorded once."""

import numpy as np
import pytest

from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import insert, recorded
from pocketlens.converters.quantization.plan import default_plan
from pocketlens.targets import TARGETS
from tests.generators import picture, small_graph

PICTURES = [picture(32, 48, seed) for seed in (1, 2)]
NAMES = insert.values_to_calibrate(small_graph(), default_plan("int8"), TARGETS["onnx"].quantizers)


def test_a_graph_of_the_same_content_is_played_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "_recorded", {})
    once = recorded.calibrate_once(small_graph(), NAMES, PICTURES, histograms=True)
    assert recorded.calibrate_once(small_graph(), NAMES, PICTURES, histograms=True) is once
    with_other_weights = small_graph()
    node = next(node for node in with_other_weights.graph if node.op_type == "Conv")
    array = constant(node.inputs[1])
    assert array is not None
    node.inputs[1].const_value = type(node.inputs[1].const_value)(np.ascontiguousarray(array * 2))  # type: ignore[union-attr]
    other = recorded.calibrate_once(with_other_weights, NAMES, PICTURES, histograms=True)
    assert any(not np.array_equal(other[name].high, once[name].high) for name in NAMES)
    assert recorded.calibrate_once(small_graph(), NAMES, PICTURES[:1], histograms=True) is not once
    without = recorded.calibrate_once(small_graph(), NAMES, PICTURES, histograms=False)
    assert not next(iter(without.values())).counts.size


def test_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "_recorded", {})
    monkeypatch.setattr(recorded, "MAX_RECORDED", 1)
    first = recorded.calibrate_once(small_graph(), NAMES, PICTURES, histograms=False)
    recorded.calibrate_once(small_graph(), NAMES, PICTURES[:1], histograms=False)
    assert len(recorded._recorded) == 1
    assert recorded.calibrate_once(small_graph(), NAMES, PICTURES, histograms=False) is not first
