"""What is the same or read by nobody goes, and what differs stays."""

from collections import Counter

import numpy as np
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.cleanup import cleanup
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import assert_close, play, quick


@quick
@given(st.lists(st.sampled_from(["Relu", "Tanh", "Sigmoid"]), min_size=1, max_size=4), st.integers(2, 3))
def test_what_is_computed_twice_or_for_nobody_goes(chosen: list[str], times: int) -> None:
    builder = GraphBuilder((1, 4, 6, 5))
    ends = []
    for _ in range(times):
        y = "x"
        for operator in chosen:
            y = builder.add(operator, y)
        ends.append(y)
    builder.add("Exp", "x")  # nobody reads it
    builder.add("Concat", *ends, axis=1)
    model = builder.model()
    before = play(model)
    cleanup(model)
    assert_close(play(model), before)
    assert _operators(model) == Counter([*chosen, "Concat"])
    again = _operators(model)
    cleanup(model)
    assert _operators(model) == again


def test_what_differs_in_an_attribute_is_kept_apart() -> None:
    builder = GraphBuilder((1, 4, 6, 5))
    first = builder.add("LeakyRelu", "x", alpha=0.1)
    builder.add("Add", first, builder.add("LeakyRelu", "x", alpha=0.2))
    model = builder.model()
    before = play(model)
    cleanup(model)
    assert_close(play(model), before)
    assert _operators(model) == {"LeakyRelu": 2, "Add": 1}
    assert np.ptp(before[0]) > 0


def _operators(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)
