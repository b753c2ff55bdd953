"""Passes that fold and drop, on random graphs: the same values, done after one go, and what they must leave alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from pocketlens.converters.rewrites.decompose_resize import DecomposeResize
from pocketlens.converters.rewrites.drop_no_ops import DropNoOps
from pocketlens.converters.rewrites.fold_affine_after import FoldAffineAfter
from pocketlens.converters.rewrites.fold_affine_before import FoldAffineBefore
from pocketlens.converters.rewrites.merge_affine import MergeAffine
from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes
from tests.converters.drafts import Draft, affines, close, exact, quick, steps, values


@quick
@given(steps, st.sampled_from(["Conv", "grouped", "depthwise", "ConvTranspose", "grouped up", "norm"]), st.booleans())
def test_affine_behind_goes_into_weights(chosen: list, kind: str, bias: bool) -> None:
    draft = Draft((1, 4, 6, 7), len(chosen))
    inputs = [draft.random(4)] if bias else []
    match kind:
        case "norm":
            draft.add("InstanceNormalization", "x", draft.random(4), draft.random(4))
        case "Conv":
            draft.add("Conv", "x", draft.random(4, 4, 3, 3), *inputs, pads=[1, 0, 2, 1])
        case "grouped":
            draft.add("Conv", "x", draft.random(4, 2, 3, 3), *inputs, group=2)
        case "depthwise":
            draft.add("Conv", "x", draft.random(4, 1, 3, 3), *inputs, group=4)
        case "ConvTranspose":
            draft.add("ConvTranspose", "x", draft.random(4, 4, 3, 3), *inputs, strides=[2, 2], output_padding=[1, 0])
        case _:
            draft.add("ConvTranspose", "x", draft.random(4, 2, 3, 3), *inputs, group=2)
    affines(draft, chosen)
    assert sum(exact(draft.model(), FoldAffineAfter).values()) == 1


def test_affine_behind_that_must_stay() -> None:
    for case in ("second reader", "a number a pixel", "given away", "grows"):
        draft = Draft((1, 4, 6, 7))
        conv = draft.add("Conv", "x", draft.random(1 if case == "grows" else 4, 4, 1, 1))
        out = draft.add(
            "Mul", conv, draft.random(*{"a number a pixel": (6, 7), "grows": (4, 1, 1)}.get(case, (4, 1, 1)))
        )
        if case == "second reader":
            draft.add("Concat", out, conv, axis=1)
        exact(draft.model(*([conv] if case == "given away" else [])), FoldAffineAfter, applies=False)


@quick
@given(
    steps, st.sampled_from(["Conv", "grouped", "depthwise"]), st.sampled_from(["", "reflect", "edge"]), st.booleans()
)
def test_affine_in_front_goes_into_weights(chosen: list, kind: str, pad: str, bias: bool) -> None:
    draft = Draft((1, 4, 6, 7), len(chosen))
    affines(draft, chosen)
    if pad:
        draft.add("Pad", draft.last, draft.ints(0, 0, 1, 2, 0, 0, 2, 1), mode=pad)
    groups = {"Conv": 1, "grouped": 2, "depthwise": 4}[kind]
    inputs = [draft.random(8)] if bias else []
    draft.add("Conv", draft.last, draft.random(8, 4 // groups, 3, 3), *inputs, group=groups, strides=[1, 2])
    assert set(exact(draft.model(), FoldAffineBefore)) <= {"Pad", "Conv"}


@pytest.mark.parametrize("kind", ["Conv", "same", "ConvTranspose", "zeros"])
def test_scale_in_front_passes_padding_and_shift_does_not(kind: str) -> None:
    for chosen, left in (([("Mul", (4, 1, 1))], 0), ([("Mul", (4, 1, 1)), ("Add", (4, 1, 1))], 1), ([("Add", ())], 1)):
        draft = Draft((1, 4, 6, 7))
        affines(draft, chosen)
        if kind == "ConvTranspose":
            draft.add("ConvTranspose", draft.last, draft.random(4, 2, 3, 3), group=2)
        elif kind == "zeros":
            draft.add("Pad", draft.last, draft.ints(0, 0, 1, 1, 0, 0, 1, 1))
            draft.add("Conv", draft.last, draft.random(4, 4, 3, 3))
        else:
            padding = {"auto_pad": "SAME_UPPER"} if kind == "same" else {"pads": [0, 0, 0, 1]}
            draft.add("Conv", draft.last, draft.random(4, 4, 3, 3), **padding)
        if kind == "zeros" and left:
            exact(draft.model(), FoldAffineBefore, applies=False)
        else:
            found = exact(draft.model(), FoldAffineBefore, applies=chosen != [("Add", ())])
            assert found["Mul"] == 0 and found["Add"] == left


@quick
@given(
    st.lists(
        st.tuples(st.sampled_from(["Mul", "Add"]), st.sampled_from([(), (4, 1, 1), (6, 7), (1,)])),
        min_size=1,
        max_size=6,
    )
)
def test_products_and_sums_merge(chosen: list) -> None:
    draft = Draft((1, 4, 6, 7), len(chosen))
    affines(draft, chosen)
    model = draft.model()
    before = values(model)
    changed = MergeAffine()(model).modified
    close(values(model), before)
    while changed:
        changed = MergeAffine()(model).modified
    close(values(model), before)
    ops = [node.op_type for node in model.graph]
    assert len(ops) <= len(chosen)


SAME = {
    "Identity": (), "Dropout": (), "Sum": (), "Cast": {"to": TensorProto.FLOAT}, "Concat": {"axis": 1},
    "AveragePool": {"kernel_shape": [1, 1]}, "MaxPool": {"kernel_shape": [1, 1]},
}  # fmt: skip


@quick
@given(
    st.permutations([*SAME, "Add", "Mul", "Sub", "Div", "Pow", "Pad", "Slice", "Resize", "Expand", "Tile", "Clip"]),
    st.integers(1, 6),
)
def test_no_ops_go(order: list[str], count: int) -> None:
    draft = Draft((1, 4, 6, 7))
    draft.add("Relu", "x")
    for op in order[:count]:
        x = draft.last
        match op:
            case "Add" | "Sub":
                draft.add(op, x, draft.array(np.zeros((4, 1, 1))))
            case "Mul" | "Div" | "Pow":
                draft.add(op, x, draft.array(1))
            case "Pad":
                draft.add(op, x, draft.ints(*[0] * 8))
            case "Slice":
                draft.add(op, x, draft.ints(0, -100), draft.ints(2**40, 7), draft.ints(2, 3))
            case "Resize":
                draft.add(
                    op, x, "", draft.array([1, 1, 1, 1]), mode="linear", coordinate_transformation_mode="align_corners"
                )
            case "Expand":
                draft.add(op, x, draft.ints(1, 4, 1, 7))
            case "Tile":
                draft.add(op, x, draft.ints(1, 1, 1, 1))
            case "Clip":
                draft.add(op, x)
            case _:
                draft.add(op, x, **(SAME[op] or {}))
    draft.add("Tanh", draft.last)
    assert exact(draft.model(), DropNoOps) == {"Relu": 1, "Tanh": 1}


def test_what_only_looks_like_a_no_op_stays() -> None:
    draft = Draft((1, 4, 6, 6))
    draft.add("Slice", "x", draft.ints(-1), draft.ints(-100), draft.ints(2), draft.ints(-1))
    draft.add("Add", draft.last, draft.array([0] * 5 + [1]))
    draft.add("Sub", draft.array(0), draft.last)
    draft.add("Div", draft.array(1), draft.last)
    draft.add("MaxPool", draft.last, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    draft.add("Transpose", draft.last, perm=[0, 1, 3, 2])
    draft.add("Pad", draft.last, draft.ints(0, 0, 1, 0, 0, 0, -1, 0))
    draft.add("Clip", draft.last, draft.array(-1))
    assert sum(exact(draft.model(), DropNoOps, applies=False).values()) == 8


@quick
@given(
    st.lists(
        st.sampled_from([(1, 4, 6, 7), (4, 42), (1, 1, 168), (168,), (4, 6, 7), (2, 84), (1, 4, 42)]),
        min_size=1,
        max_size=5,
    )
)
def test_reshapes_merge(shapes: list[tuple[int, ...]]) -> None:
    draft = Draft((1, 4, 6, 7))
    draft.add("Relu", "x")
    for shape in shapes:
        draft.add("Reshape", draft.last, draft.ints(*shape))
    draft.add("Unsqueeze", draft.last, draft.ints(0))
    draft.add("Transpose", draft.last, perm=[*range(1, len(shapes[-1]) + 1), 0])
    draft.add("Flatten", draft.last, axis=0)
    draft.add("Tanh", draft.last)
    assert exact(draft.model(), MergeReshapes)["Reshape"] == 1


def test_transposes_that_move_something_are_no_reshapes() -> None:
    draft = Draft((1, 4, 6, 7))
    draft.add("Transpose", "x", perm=[0, 2, 1, 3])
    draft.add("Reshape", draft.last, draft.ints(4, 42))
    exact(draft.model(), MergeReshapes, applies=False)


@pytest.mark.parametrize(
    ("how", "applies"),
    [
        ({"axes": [3, 2], "scales": (2.5, 0.5)}, True),
        ({"axes": [-1], "scales": (1.5,)}, True),
        ({"axes": [3], "sizes": (9,)}, True),
        ({"axes": [3, 2], "sizes": (14, 9), "policy": "not_larger"}, False),  # 1.5 times 7 columns is no whole number
        ({"axes": [2, 3], "sizes": (12, 99), "policy": "not_larger"}, True),
        ({"axes": [2, 3], "sizes": (1, 14), "policy": "not_smaller"}, True),
        ({"sizes": (1, 4, 6, 9)}, False),
    ],
)
def test_resizes_say_the_size_of_every_axis(how: dict, applies: bool) -> None:
    draft = Draft((1, 4, 6, 7))
    policy = {"keep_aspect_ratio_policy": how["policy"]} if "policy" in how else {}
    axes = {"axes": how["axes"]} if "axes" in how else {}
    inputs = ["x", "", draft.array(how["scales"])] if "scales" in how else ["x", "", "", draft.ints(*how["sizes"])]
    draft.add("Resize", *inputs, mode="linear", **axes, **policy)
    exact(draft.model(), DecomposeResize, applies=applies)
