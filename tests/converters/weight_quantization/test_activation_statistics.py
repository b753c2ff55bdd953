"""The Hessian predicts the error of a layer."""

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.weight_quantization.activation_statistics import collect_hessians
from tests.converters.graph_builder import GraphBuilder, run
from tests.generators import picture

READERS = {
    "groups, uneven pads, dilations": (
        "Conv", (12, 4, 3, 3), {"group": 2, "pads": [2, 0, 1, 1], "strides": [2, 1], "dilations": [1, 2]}),
    "depthwise": ("Conv", (16, 1, 3, 3), {"group": 8, "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "wide": ("Conv", (4, 8, 7, 7), {"pads": [3, 3, 3, 3]}),
    "transposed": ("ConvTranspose", (8, 5, 4, 3), {"strides": [2, 3], "pads": [1, 0, 2, 1], "output_padding": [1, 0]}),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_the_error_that_is_predicted_is_the_error_that_there_is(name: str) -> None:
    operator, shape, attributes = READERS[name]
    builder = GraphBuilder((1, 3, 9, 11))
    builder.add("Conv", "x", builder.random(8, 3, 1, 1))
    kernel = builder.random(*shape)
    builder.add(operator, builder.last, kernel, **attributes)
    graph = builder.model()
    graph.graph.inputs[0].name = hub.INPUT
    seen = collect_hessians(graph, [picture(9, 11)])[kernel]
    feed = {hub.INPUT: picture(9, 11).astype(np.float32).transpose(2, 0, 1)[None]}
    (before,) = run(graph, feed)
    value = graph.graph.initializers[kernel]
    change = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    value.const_value = ir.tensor(np.asarray(hub.initializer(value)) + change, name=kernel)
    (after,) = run(graph, feed)
    count, positions = np.zeros(shape), 0.0
    for block in seen:
        np.add.at(count, block.places, 1)
    assert (count == 1).all()
    for block in seen:
        rows = change[block.places].astype(np.float64)
        positions += float(np.einsum("oi,ij,oj->", rows, block.values, rows))
    if operator == "Conv" and len(seen) <= 8:  # every output is the sum of one block
        assert positions * after[0, 0].size == pytest.approx(
            np.square(after - before, dtype=np.float64).sum(), rel=1e-3
        )
    if name == "transposed":  # phases have nearly equally many positions
        mean = positions / len(seen)
        assert mean * after[0, 0].size == pytest.approx(np.square(after - before, dtype=np.float64).sum(), rel=0.1)
