"""Transposes that cancel, norms that are recognized, and cleaning as a whole, on random graphs."""

import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper
from onnx_ir.passes import common

from pocketlens.converters.rewrites.canonicalize import canonicalize
from pocketlens.converters.rewrites.decompose_layer_norm import DecomposeLayerNorm
from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes
from pocketlens.converters.rewrites.move_transposes import MoveTransposes
from pocketlens.converters.rewrites.recognize_norms import RecognizeNorms
from tests.converters.drafts import FIRST, LAST, Draft, affines, close, exact, norm, quick, values

LAST_OPS = ["Relu", "Add", "AddSelf", "Mul", "Pad", "Concat", "Mean", "Split", "Slice", "Resize", "Softmax", "Gather", "Squeeze", "Where", "Dense", "Conv", "Clip"]  # fmt: skip


@quick
@given(st.lists(st.sampled_from(LAST_OPS), min_size=1, max_size=7), st.integers(0, 99))
def test_transposes_cancel(ops: list[str], seed: int) -> None:
    draft = Draft((1, 4, 6, 7), seed)
    draft.add("Transpose", "x", perm=LAST)
    channels = 4
    for op in ops:
        x = draft.last
        match op:
            case "Relu":
                draft.add("Relu", x)
            case "Clip":
                draft.add("Clip", x, draft.array(-0.5), draft.array(0.5))
            case "Add":
                draft.add("Add", x, draft.random(channels))
            case "Mul":
                draft.add("Mul", draft.random(1, 6, 7, 1), x)
            case "AddSelf":
                draft.add("Add", draft.add("Tanh", x), x)
            case "Pad":
                padded = draft.add("Pad", x, draft.ints(2, 1, 3, 1), "", draft.ints(1, -2), mode="edge")
                draft.add("Slice", padded, draft.ints(1, 0), draft.ints(7, 7), draft.ints(1, 2))
            case "Concat":
                draft.add("Concat", x, draft.add("Abs", x), axis=-1)
                channels *= 2
            case "Mean":
                draft.add("Sub", x, draft.add("ReduceMean", x, draft.ints(1, 2)))
            case "Split" if channels % 2 == 0:
                half = channels // 2
                index = len(draft.nodes)
                sizes = draft.ints(half, half)
                draft.nodes.append(
                    helper.make_node("Split", [x, sizes], [f"l{index}", f"r{index}"], f"split{index}", axis=3)
                )
                draft.add("Mul", f"l{index}", f"r{index}")
                channels = half
            case "Slice":
                flipped = draft.add("Slice", x, draft.ints(-1), draft.ints(-100), draft.ints(1), draft.ints(-1))
                draft.add("Add", flipped, x)
            case "Resize":
                large = draft.add("Resize", x, "", draft.array([1, 2, 3, 1]), mode="nearest")
                draft.add("Slice", large, draft.ints(0, 0), draft.ints(6, 7), draft.ints(1, 2))
            case "Softmax":
                draft.add("Softmax", x)
            case "Gather":
                draft.add("Gather", x, draft.ints(*range(channels)[::-1]), axis=3)
            case "Squeeze":
                mean = draft.add("ReduceMean", x, draft.ints(1, 2), keepdims=0)
                gate = draft.add("Reshape", draft.add("Sigmoid", mean), draft.ints(1, 1, 1, channels))
                draft.add("Mul", x, gate)
            case "Where":
                draft.add("Where", draft.add("Greater", x, draft.array(0)), x, draft.random(channels))
            case "Dense":
                draft.add("MatMul", x, draft.random(channels, 3))
                channels = 3
            case "Conv":
                first = draft.add("Transpose", x, perm=FIRST)
                conv = draft.add("Conv", first, draft.random(4, channels, 3, 3), pads=[1, 1, 1, 1])
                draft.add("Transpose", conv, perm=LAST)
                channels = 4
    draft.add("Transpose", draft.last, perm=FIRST)
    # Of a gate's four axes one is longer than 1: its Transpose is a Reshape.
    assert exact(draft.model(), MoveTransposes, MergeReshapes)["Transpose"] == 0


def test_transposes_that_are_needed_stay() -> None:
    """Attention: tokens are multiplied along both axes; moving the Transpose would only put it elsewhere."""
    draft = Draft((1, 4, 6, 7))
    tokens = draft.add("Transpose", draft.add("Reshape", "x", draft.ints(1, 4, 42)), perm=[0, 2, 1])
    draft.add("Relu", tokens)
    draft.add("MatMul", draft.last, draft.random(4, 4))
    assert exact(draft.model(), MoveTransposes, applies=False)["Transpose"] == 1
    draft = Draft((1, 4, 6, 7))
    draft.add("Relu", draft.add("Transpose", "x", perm=[0, 1, 3, 2]))
    exact(draft.model(), MoveTransposes, applies=False)


def test_a_transposed_output_keeps_its_name() -> None:
    draft = Draft((1, 4, 6, 7))
    first = draft.add("Transpose", draft.add("Relu", draft.add("Transpose", "x", perm=LAST)), perm=FIRST)
    given = draft.add("Tanh", draft.add("Transpose", first, perm=LAST))
    assert exact(draft.model(first), MoveTransposes)["Transpose"] == 1
    assert given == draft.last


WAYS = ["plain", "pow", "pool", "moments", "unbiased", "power", "one over", "reciprocal", "multiplied out"]


@quick
@given(st.sampled_from(WAYS), st.sampled_from([(2, 3), (1, 2, 3), (-1, -2)]), st.integers(1, 3))
def test_norms_are_recognized(way: str, axes: tuple[int, ...], channels: int) -> None:
    draft = Draft((1, 4, 6, 7), channels)
    norm(draft, way, axes, draft.add("Tanh", "x"))
    model = draft.model()
    common.CommonSubexpressionEliminationPass()(model)
    found = exact(model, RecognizeNorms)
    assert found["InstanceNormalization"] == 1
    assert not {"ReduceMean", "Sqrt", "GlobalAveragePool", "Pow"} & set(found)


@pytest.mark.parametrize(
    "case", ["other axes", "other x", "outside", "last axis", "first power", "no epsilon", "not kept"]
)
def test_what_is_no_norm_stays(case: str) -> None:
    draft = Draft((1, 4, 6, 7))
    x = draft.add("Tanh", "x")
    over = draft.ints(*{"last axis": (3,)}.get(case, (2, 3)))
    keep = {"keepdims": 0} if case == "not kept" else {}
    mean = draft.add("ReduceMean", x, over, **keep)
    if keep:
        mean = draft.add("Reshape", mean, draft.ints(1, 4, 1, 1))
    d = draft.add("Sub", x, mean)
    base = draft.add("Abs", d) if case == "other x" else d
    axes = draft.ints(3) if case == "other axes" else over
    variance = draft.add("ReduceMean", draft.add("Mul", base, d), axes)
    if case == "outside":
        root = draft.add("Add", draft.add("Sqrt", variance), draft.array(0.1))
    elif case == "first power":
        root = draft.add("Add", variance, draft.array(0.1))
    elif case == "no epsilon":
        root = draft.add("Sqrt", variance)
    else:
        root = draft.add("Sqrt", draft.add("Add", variance, draft.array(0.1)))
    draft.add("Div", d, root)
    # A mean whose axes are dropped and put back is a mean all the same.
    found = exact(draft.model(), RecognizeNorms, applies=case == "not kept")
    assert found["InstanceNormalization"] == (case == "not kept")


def test_parts_of_a_norm_that_others_read_stay() -> None:
    draft = Draft((1, 4, 6, 7))
    normal = norm(draft, "plain", (2, 3), "x")
    draft.add("Add", normal, "v0")
    assert exact(draft.model(), RecognizeNorms) == {"ReduceMean": 1, "InstanceNormalization": 1, "Add": 1}


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
@pytest.mark.parametrize("bias", [False, True])
def test_layer_norms_are_spelled_out(axis: int, bias: bool) -> None:
    draft = Draft((1, 4, 6, 7))
    shape = (1, 4, 6, 7)[axis:]
    inputs = [draft.random(*shape), *([draft.random(*shape)] if bias else [])]
    draft.add("LayerNormalization", "x", *inputs, axis=axis, epsilon=1e-3)
    found = exact(draft.model(), DecomposeLayerNorm)
    assert found["LayerNormalization"] == 0
    assert found["InstanceNormalization"] == (axis in (1, 2))


blocks = st.lists(
    st.sampled_from(["conv", "norm", "group", "last", "affine", "relu", "skip", "up", "layer"]), min_size=1, max_size=6
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(blocks, st.integers(0, 99))
def test_cleaning_is_exact_and_finished(chosen: list[str], seed: int) -> None:
    draft = Draft((1, 4, 6, 8), seed)
    draft.add("Mul", "x", draft.array(2))
    draft.add("Add", draft.last, draft.array(-1))
    height, width = 6, 8
    for block in chosen:
        x = draft.last
        match block:
            case "conv":
                padded = draft.add("Pad", x, draft.ints(0, 0, 1, 1, 0, 0, 1, 1))
                draft.add("Conv", padded, draft.random(4, 4, 3, 3), draft.random(4))
                draft.add("Mul", draft.last, draft.array(0.1))
                affines(draft, [("Batch", ())])
            case "norm":
                norm(draft, "multiplied out", (2, 3), x)
            case "group":
                view = draft.add("Reshape", x, draft.ints(0, 2, -1))
                draft.add("InstanceNormalization", view, draft.array([1, 1]), draft.array([0, 0]))
                draft.add("Reshape", draft.last, draft.add("Shape", x))
                affines(draft, [("Mul", (4, 1, 1)), ("Add", (4, 1, 1))])
            case "last":
                turned = draft.add("Transpose", x, perm=LAST)
                draft.add("Add", draft.add("MatMul", turned, draft.random(4, 4)), draft.random(4))
                draft.add("Transpose", draft.last, perm=FIRST)
            case "affine":
                affines(draft, [("Mul", (4, 1, 1)), ("Mul", ()), ("Add", ())])
            case "relu":
                draft.add("Relu", draft.add("Identity", x))
            case "skip":
                draft.add("Add", x, draft.add("Tanh", x))
            case "up":
                height, width = 2 * height, 2 * width
                shape = draft.add("Shape", x)
                size = draft.add("Mul", draft.add("Slice", shape, draft.ints(2), draft.ints(4)), draft.ints(2, 2))
                size = draft.add("Concat", draft.add("Slice", shape, draft.ints(0), draft.ints(2)), size, axis=0)
                draft.add("Resize", x, "", "", size, mode="linear")
            case "layer":
                turned = draft.add("Transpose", x, perm=LAST)
                draft.add("LayerNormalization", turned, draft.random(4), draft.random(4), epsilon=1e-3)
                draft.add("Transpose", draft.last, perm=FIRST)
        if (height, width) > (48, 64):
            break
    draft.add("Tanh", draft.last)
    model = draft.model()
    before = values(model)
    canonicalize(model)
    close(values(model), before)
    assert not {"Transpose", "Identity", "Shape", "MatMul", "Pad", "BatchNormalization"} & {
        n.op_type for n in model.graph
    }
    once = ir.to_proto(model).SerializeToString(deterministic=True)
    canonicalize(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == once
