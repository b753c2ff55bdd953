"""Means and variances are read through views."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.converters.rewrites.canonicalize import canonicalize
from pocketlens.converters.rewrites.statistics import axes_behind
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import assert_close, play


@settings(max_examples=100)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.data())
def test_axes_of_a_view_name_the_same_values(before: list[int], data: st.DataObject) -> None:
    total = int(np.prod(before))
    cut = data.draw(st.sampled_from([n for n in range(1, total + 1) if total % n == 0]))
    view = data.draw(st.sampled_from([(cut, total // cut), (total,), (1, cut, 1, total // cut), tuple(before)]))
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(view) - 1)))))
    found = axes_behind(tuple(before), view, axes)
    array = np.arange(total, dtype=np.float64).reshape(before)
    if found is not None:
        expected = array.reshape(view).sum(axes).reshape(-1)
        assert np.array_equal(array.sum(found).reshape(-1), expected)


@settings(max_examples=16, deadline=None)
@given(
    st.sampled_from([(1, 4, 1, -1), (1, 4, -1), (4, -1)]),
    st.sampled_from(["mean", "sum", "unbiased"]),
    st.booleans(),
    st.booleans(),
)
def test_norms_of_flat_pixels_are_instance_norms(view: tuple[int, ...], way: str, flat: bool, wide: bool) -> None:
    """The mean of flat pixels, its variance of the picture or of flat pixels, both spread to the picture's size."""
    builder = GraphBuilder((1, 4, 6, 7))
    x = builder.add("Tanh", "x")

    def mean(value: str, looked: bool = True) -> str:
        seen = builder.add("Reshape", value, builder.ints(*view)) if looked else value
        if way == "sum":
            total = builder.add("ReduceSum", seen, builder.ints(len(view) - 1))
            return builder.add("Div", total, builder.array(42.0))
        return builder.add("ReduceMean", seen, builder.ints(len(view) - 1))

    def small(value: str) -> str:
        value = builder.add("Reshape", value, builder.ints(1, 4, 1, 1))
        return builder.add("Expand", value, builder.ints(1, 4, 6, 7)) if wide else value

    deviation = builder.add("Sub", x, small(mean(x)))
    if flat:
        pixels = builder.add("Reshape", x, builder.ints(*view))
        inner = builder.add("Sub", pixels, mean(pixels, looked=False))
        variance = mean(builder.add("Mul", inner, inner), looked=False)
    else:
        variance = mean(builder.add("Mul", deviation, deviation))
    if way == "unbiased":
        variance = builder.add("Div", builder.add("Mul", variance, builder.array(42.0)), builder.array(41.0))
    root = builder.add("Sqrt", builder.add("Add", small(variance), builder.array(1e-9)))
    builder.add("Div", deviation, root)
    model = builder.model()
    before = play(model)
    canonicalize(model)
    found = {node.op_type for node in model.graph}
    assert "InstanceNormalization" in found
    assert not found & {"ReduceMean", "ReduceSum", "Sqrt", "Expand"}
    assert_close(play(model), before)
