"""Rewrites that move shuffles to the end and activations to the front, on random graphs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.activate_early import ActivateEarly
from pocketlens.converters.rewrites.shuffle_last import ShuffleLast
from tests.converters.drafts import Draft, exact, quick
from tests.converters.test_packing import between, steps


@quick
@given(steps)
def test_shuffles_go_last(chosen: list[str]) -> None:
    draft = Draft((1, 3, 4, 6), len(chosen))
    draft.add("Conv", "x", draft.random(16, 3, 1, 1))
    draft.add("DepthToSpace", draft.last, blocksize=2, mode="CRD")
    channels = between(draft, chosen)
    draft.add("InstanceNormalization", draft.last, draft.random(channels), draft.random(channels))
    draft.add("Tanh", draft.last)
    model = draft.model()
    found = exact(model, ShuffleLast)
    assert found["DepthToSpace"] == 1 and model.graph.node(-1).op_type == "DepthToSpace"


@pytest.mark.parametrize("case", ["no norm", "other order", "picture added"])
def test_shuffles_that_stay(case: str) -> None:
    draft = Draft((1, 3, 4, 4))
    draft.add("Conv", "x", draft.random(12, 3, 3, 3), pads=[1] * 4)
    draft.add("DepthToSpace", draft.last, blocksize=2, mode="DCR" if case == "other order" else "CRD")
    if case != "no norm":
        draft.add("InstanceNormalization", draft.last, draft.random(3), draft.random(3))
    if case == "picture added":
        norm = draft.last
        draft.add("Add", norm, draft.add("Resize", "x", "", draft.array([1, 1, 2, 2])))
    draft.add("Tanh", draft.last)
    exact(draft.model(), ShuffleLast, applies=False)


@quick
@given(
    st.lists(st.sampled_from(["Concat", "DepthToSpace", "SpaceToDepth", "Slice"]), min_size=1, max_size=3),
    st.sampled_from(["Conv", "ConvTranspose"]),
)
def test_relu_goes_early(chosen: list[str], operator: str) -> None:
    draft = Draft((1, 4, 8, 8), len(chosen))
    draft.add(operator, "x", draft.random(4, 4, 1, 1))
    for place, step in enumerate(chosen):
        match step:
            case "Concat":
                size = 8 >> chosen[:place].count("Slice")
                first = draft.last
                other = draft.add("Slice", "x", draft.ints(0, 0), draft.ints(size, size), draft.ints(2, 3))
                draft.add("Concat", draft.add("Tanh", other), first, axis=1)
            case "Slice":
                half = 4 >> chosen[:place].count("Slice")
                draft.add("Slice", draft.last, draft.ints(0, 0), draft.ints(half, half), draft.ints(2, 3))
            case "DepthToSpace":
                draft.add("SpaceToDepth", draft.last, blocksize=2)
                draft.add("DepthToSpace", draft.last, blocksize=2, mode="CRD")
            case _:
                draft.add("SpaceToDepth", draft.last, blocksize=2)
                draft.add("DepthToSpace", draft.last, blocksize=2)
    draft.add("Relu", draft.last)
    model = draft.model()
    exact(model, ActivateEarly)
    relu = next(node for node in model.graph if node.op_type == "Relu")
    assert relu.inputs[0] is not None and relu.inputs[0].producer().op_type in (operator, "Tanh")  # type: ignore[union-attr]


@pytest.mark.parametrize("case", ["read twice", "no convolution", "other function", "at once"])
def test_relu_that_stays(case: str) -> None:
    draft = Draft((1, 4, 8, 8))
    conv = draft.add("Tanh", "x") if case == "no convolution" else draft.add("Conv", "x", draft.random(4, 4, 1, 1))
    joined = conv if case == "at once" else draft.add("Concat", "x", conv, axis=1)
    draft.add("Sigmoid" if case == "other function" else "Relu", joined)
    exact(draft.model(*([joined] if case == "read twice" else [])), ActivateEarly, applies=False)


def test_relu_of_a_skip_connection_is_one_on_each_side() -> None:
    draft = Draft((1, 4, 8, 8))
    conv = draft.add("Conv", "x", draft.random(4, 4, 1, 1))
    draft.add("Relu", draft.add("Concat", "x", conv, axis=1))
    model = draft.model()
    assert exact(model, ActivateEarly) == {"Conv": 1, "Relu": 2, "Concat": 1}
