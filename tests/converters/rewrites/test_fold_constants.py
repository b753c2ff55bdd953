"""What does not depend on the picture is computed once, and what must stay stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites import fold_budget
from pocketlens.converters.rewrites.fold_constants import FoldConstants
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick


@quick
@given(st.lists(st.sampled_from(["Mul", "Add", "Sub", "Max"]), min_size=1, max_size=4), st.integers(1, 3))
def test_arithmetic_on_constants_is_done(chosen: list[str], times: int) -> None:
    builder = GraphBuilder((1, 4, 6, 5), len(chosen))
    term = builder.random(4, 1, 1)
    for operator in chosen:
        term = builder.add(operator, term, builder.random(4, 1, 1))
    half = builder.add("Slice", builder.add("Shape", "x"), builder.ints(2), builder.ints(4))
    sizes = builder.add("Concat", builder.ints(1, 4), builder.add("Mul", half, builder.ints(times)), axis=0)
    enlarged = builder.add("Resize", "x", "", "", sizes)
    builder.add("Mul", enlarged, term)
    assert check_passes(builder.model(), FoldConstants) == {"Resize": 1, "Mul": 1}


def test_a_small_constant_that_stands_for_a_large_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_budget, "MAX_FOLDED_ELEMENTS", 1000)
    builder = GraphBuilder((1, 1, 40, 40))
    large = builder.add("Expand", builder.array(1.5), builder.ints(1, 1, 40, 40))
    builder.add("Add", "x", large)
    assert check_passes(builder.model(), FoldConstants, applies=False) == {"Expand": 1, "Add": 1}


def test_what_depends_on_the_picture_stays() -> None:
    builder = GraphBuilder((1, 4, 6, 5))
    builder.add("Mul", "x", builder.add("ReduceMean", "x"))
    check_passes(builder.model(), FoldConstants, applies=False)
