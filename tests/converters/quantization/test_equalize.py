"""Channels are evened out, and no pixel changes."""

import numpy as np

from pocketlens.converters.quantization import equalize as evening
from pocketlens.converters.quantization.calibrate import calibrate
from pocketlens.converters.quantization.plan import (
    candidates,
)
from tests.converters.quantization.scoring import worst
from tests.generators import picture, small_graph

CALIBRATE = [picture(32, 48, seed) for seed in (1, 2, 3)]


def test_equalization_changes_no_pixel_and_makes_ranges_alike() -> None:
    graph = small_graph()
    names = evening.values_to_calibrate(graph)
    found = calibrate(graph, names, CALIBRATE, histograms=False)
    even = graph.clone()
    assert evening.equalize(even, found) >= 2
    assert worst(even, graph) > 100
    after = calibrate(even, names, CALIBRATE, histograms=False)
    spreads = [
        [np.maximum(-s.low, s.high).max() / np.maximum(-s.low, s.high).clip(1e-9).min() for s in stats.values()]
        for stats in (found, after)
    ]
    assert max(spreads[1]) < max(spreads[0])


def test_even_outputs_in_front_of_norms_change_no_pixel() -> None:
    graph = small_graph()
    names = [str(n.outputs[0].name) for n in candidates(graph)]
    even = graph.clone()
    assert evening.equalize_conv_outputs(even, calibrate(graph, names, CALIBRATE, histograms=False), names) == 1
    assert worst(even, graph) > 60
    normed = next(n for n in even.graph if n.op_type == "InstanceNormalization").inputs[0].name
    after = calibrate(even, names, CALIBRATE, histograms=False)[normed]
    assert np.allclose(after.low, -after.high, rtol=1e-3, atol=1e-3), "ranges lie around 0"
    assert np.allclose(after.high, after.high[0], rtol=1e-3), "and are alike"
