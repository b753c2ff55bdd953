"""Products and sums with constants merge, on random graphs."""

from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.merge_affine import MergeAffine
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import add_affines, assert_close, play, quick


@quick
@given(
    st.lists(
        st.tuples(st.sampled_from(["Mul", "Add"]), st.sampled_from([(), (4, 1, 1), (6, 7), (1,)])),
        min_size=1,
        max_size=6,
    )
)
def test_products_and_sums_merge(chosen: list) -> None:
    builder = GraphBuilder((1, 4, 6, 7), len(chosen))
    add_affines(builder, chosen)
    model = builder.model()
    before = play(model)
    changed = MergeAffine()(model).modified
    assert_close(play(model), before)
    while changed:
        changed = MergeAffine()(model).modified
    assert_close(play(model), before)
    ops = [node.op_type for node in model.graph]
    assert len(ops) <= len(chosen)
