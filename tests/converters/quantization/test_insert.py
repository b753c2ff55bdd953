"""Quantizers in the graph."""

from dataclasses import replace

import numpy as np

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import insert
from pocketlens.converters.quantization.calibrate import BINS, calibrate
from pocketlens.converters.quantization.plan import default_plan
from pocketlens.targets import TARGETS
from tests.generators import picture, small_graph


def test_litert_finds_ranges_of_what_was_cut_off() -> None:
    """One bright spot would cost all other values their levels."""
    graph, form = small_graph(), TARGETS["tflite"].quantizers
    found = calibrate(graph, insert.values_to_calibrate(graph, default_plan("int8"), form), [picture(32, 48, 1)])
    for name, stats in found.items():
        counts = np.zeros(BINS)
        counts[: BINS // 2], counts[-1] = 1e4, 1  # nearly all in the lower half
        found[name] = replace(stats, low=stats.low.clip(0), counts=counts)
    insert.insert_quantizers(graph, default_plan("int8"), found, form)
    hub.check(graph)
    rounded = [node.inputs[0].producer() for node in graph.graph if node.op_type == "DynamicQuantizeLinear"]
    cut = [node for node in rounded if node is not None and node.op_type == "Clip"]
    assert len(rounded) >= 4 and len(cut) == len(rounded)  # pixels pass the folded range first
    for node in cut[1:]:
        assert node.inputs[1] is None, "nothing lies below"
        name = str(node.inputs[0].name)
        assert float(constant(node.inputs[2])) < 0.8 * found[name].high.max()
