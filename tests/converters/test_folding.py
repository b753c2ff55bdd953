"""Constants are folded, and what is the same or read by nobody goes: the same values, done after one go, and what must stay."""

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites import fold_constants
from pocketlens.converters.rewrites.cleanup import cleanup
from pocketlens.converters.rewrites.fold_constants import FoldConstants
from tests.converters.drafts import Draft, close, exact, quick, values


@quick
@given(st.lists(st.sampled_from(["Mul", "Add", "Sub", "Max"]), min_size=1, max_size=4), st.integers(1, 3))
def test_arithmetic_on_constants_is_done(chosen: list[str], times: int) -> None:
    draft = Draft((1, 4, 6, 5), len(chosen))
    term = draft.random(4, 1, 1)
    for operator in chosen:
        term = draft.add(operator, term, draft.random(4, 1, 1))
    half = draft.add("Slice", draft.add("Shape", "x"), draft.ints(2), draft.ints(4))
    sizes = draft.add("Concat", draft.ints(1, 4), draft.add("Mul", half, draft.ints(times)), axis=0)
    enlarged = draft.add("Resize", "x", "", "", sizes)
    draft.add("Mul", enlarged, term)
    assert exact(draft.model(), FoldConstants) == {"Resize": 1, "Mul": 1}


def test_a_small_constant_that_stands_for_a_large_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_constants, "MAX_FOLDED", 1000)
    draft = Draft((1, 1, 40, 40))
    large = draft.add("Expand", draft.array(1.5), draft.ints(1, 1, 40, 40))
    draft.add("Add", "x", large)
    assert exact(draft.model(), FoldConstants, applies=False) == {"Expand": 1, "Add": 1}


def test_what_depends_on_the_picture_stays() -> None:
    draft = Draft((1, 4, 6, 5))
    draft.add("Mul", "x", draft.add("ReduceMean", "x"))
    exact(draft.model(), FoldConstants, applies=False)


@quick
@given(st.lists(st.sampled_from(["Relu", "Tanh", "Sigmoid"]), min_size=1, max_size=4), st.integers(2, 3))
def test_what_is_computed_twice_or_for_nobody_goes(chosen: list[str], times: int) -> None:
    draft = Draft((1, 4, 6, 5))
    ends = []
    for _ in range(times):
        y = "x"
        for operator in chosen:
            y = draft.add(operator, y)
        ends.append(y)
    draft.add("Exp", "x")  # nobody reads it
    draft.add("Concat", *ends, axis=1)
    model = draft.model()
    before = values(model)
    cleanup(model)
    close(values(model), before)
    assert _operators(model) == Counter([*chosen, "Concat"])
    again = _operators(model)
    cleanup(model)
    assert _operators(model) == again


def test_what_differs_in_an_attribute_is_kept_apart() -> None:
    draft = Draft((1, 4, 6, 5))
    first = draft.add("LeakyRelu", "x", alpha=0.1)
    draft.add("Add", first, draft.add("LeakyRelu", "x", alpha=0.2))
    model = draft.model()
    before = values(model)
    cleanup(model)
    close(values(model), before)
    assert _operators(model) == {"LeakyRelu": 2, "Add": 1}
    assert np.ptp(before[0]) > 0


def _operators(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)
