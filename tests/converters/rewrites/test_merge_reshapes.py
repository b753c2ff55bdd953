"""Reshapes behind one another become one."""

from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick


@quick
@given(
    st.lists(
        st.sampled_from([(1, 4, 6, 7), (4, 42), (1, 1, 168), (168,), (4, 6, 7), (2, 84), (1, 4, 42)]),
        min_size=1,
        max_size=5,
    )
)
def test_reshapes_merge(shapes: list[tuple[int, ...]]) -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Relu", "x")
    for shape in shapes:
        builder.add("Reshape", builder.last, builder.ints(*shape))
    builder.add("Unsqueeze", builder.last, builder.ints(0))
    builder.add("Transpose", builder.last, perm=[*range(1, len(shapes[-1]) + 1), 0])
    builder.add("Flatten", builder.last, axis=0)
    builder.add("Tanh", builder.last)
    assert check_passes(builder.model(), MergeReshapes)["Reshape"] == 1


def test_transposes_that_move_something_are_no_reshapes() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Transpose", "x", perm=[0, 2, 1, 3])
    builder.add("Reshape", builder.last, builder.ints(4, 42))
    check_passes(builder.model(), MergeReshapes, applies=False)
