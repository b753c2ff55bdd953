"""Nothing is spread over a picture before an operator that spreads it by itself."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.sink_expand import ShrinkConstants, SinkExpand
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick

SHAPE = (1, 4, 6, 7)


@quick
@given(st.sampled_from(["Mul", "Add", "Sub", "Div", "Max"]), st.booleans())
def test_an_expand_before_an_operator_that_broadcasts_goes(operator: str, first: bool) -> None:
    builder = GraphBuilder(SHAPE)
    gate = builder.add("Sigmoid", builder.add("GlobalAveragePool", "x"))
    wide = builder.add("Expand", gate, builder.ints(*SHAPE))
    builder.add(operator, *((wide, "x") if first else ("x", wide)))
    assert "Expand" not in check_passes(builder.model(), SinkExpand)


def test_an_expand_that_gives_its_reader_the_shape_stays_behind_it() -> None:
    builder = GraphBuilder(SHAPE)
    wide = builder.add("Expand", builder.add("GlobalAveragePool", "x"), builder.ints(*SHAPE))
    builder.add("Concat", builder.add("Tanh", wide), "x", axis=1)
    model = builder.model()
    assert check_passes(model, SinkExpand)["Expand"] == 1
    (tanh,) = (node for node in model.graph if node.op_type == "Tanh")
    assert list(tanh.outputs[0].shape or ()) == [1, 4, 1, 1]


def test_constants_keep_one_number_where_they_repeat_it() -> None:
    builder = GraphBuilder(SHAPE)
    scale = np.broadcast_to(builder.rng.standard_normal((1, 4, 1, 1)), SHAPE)
    row = np.broadcast_to(builder.rng.standard_normal((1, 1, 1, 7)), SHAPE)
    builder.add("Add", builder.add("Mul", "x", builder.array(scale)), builder.array(row))
    model = builder.model()
    check_passes(model, ShrinkConstants)
    sizes = {value.const_value.size for node in model.graph for value in node.inputs if value and value.const_value}
    assert sizes == {4, 7}


def test_a_constant_that_gives_the_result_its_shape_stays() -> None:
    builder = GraphBuilder((1, 1, 6, 7))
    builder.add("Add", "x", builder.array(np.ones(SHAPE)))
    model = builder.model()
    check_passes(model, ShrinkConstants)
    assert model.graph[0].outputs[0].shape == list(SHAPE)
    (size,) = {value.const_value.size for value in model.graph[0].inputs if value and value.const_value}
    assert size == 4, "only the axis that the other side does not have"
