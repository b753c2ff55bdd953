"""Transposes cancel, on random graphs, and those that are needed stay."""

from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from pocketlens.converters.rewrites.merge_reshapes import MergeReshapes
from pocketlens.converters.rewrites.move_transposes import MoveTransposes
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import FIRST, LAST, check_passes, quick

LAST_OPS = [
    "Relu",
    "Add",
    "AddSelf",
    "Mul",
    "Pad",
    "Concat",
    "Mean",
    "Split",
    "Slice",
    "Resize",
    "Softmax",
    "Gather",
    "Squeeze",
    "Where",
    "Dense",
    "Conv",
    "Clip",
]


@quick
@given(st.lists(st.sampled_from(LAST_OPS), min_size=1, max_size=7), st.integers(0, 99))
def test_transposes_cancel(ops: list[str], seed: int) -> None:
    builder = GraphBuilder((1, 4, 6, 7), seed)
    builder.add("Transpose", "x", perm=LAST)
    channels = 4
    for op in ops:
        x = builder.last
        match op:
            case "Relu":
                builder.add("Relu", x)
            case "Clip":
                builder.add("Clip", x, builder.array(-0.5), builder.array(0.5))
            case "Add":
                builder.add("Add", x, builder.random(channels))
            case "Mul":
                builder.add("Mul", builder.random(1, 6, 7, 1), x)
            case "AddSelf":
                builder.add("Add", builder.add("Tanh", x), x)
            case "Pad":
                padded = builder.add("Pad", x, builder.ints(2, 1, 3, 1), "", builder.ints(1, -2), mode="edge")
                builder.add("Slice", padded, builder.ints(1, 0), builder.ints(7, 7), builder.ints(1, 2))
            case "Concat":
                builder.add("Concat", x, builder.add("Abs", x), axis=-1)
                channels *= 2
            case "Mean":
                builder.add("Sub", x, builder.add("ReduceMean", x, builder.ints(1, 2)))
            case "Split" if channels % 2 == 0:
                half = channels // 2
                index = len(builder.nodes)
                sizes = builder.ints(half, half)
                builder.nodes.append(
                    helper.make_node("Split", [x, sizes], [f"l{index}", f"r{index}"], f"split{index}", axis=3)
                )
                builder.add("Mul", f"l{index}", f"r{index}")
                channels = half
            case "Slice":
                flipped = builder.add(
                    "Slice", x, builder.ints(-1), builder.ints(-100), builder.ints(1), builder.ints(-1)
                )
                builder.add("Add", flipped, x)
            case "Resize":
                large = builder.add("Resize", x, "", builder.array([1, 2, 3, 1]), mode="nearest")
                builder.add("Slice", large, builder.ints(0, 0), builder.ints(6, 7), builder.ints(1, 2))
            case "Softmax":
                builder.add("Softmax", x)
            case "Gather":
                builder.add("Gather", x, builder.ints(*range(channels)[::-1]), axis=3)
            case "Squeeze":
                mean = builder.add("ReduceMean", x, builder.ints(1, 2), keepdims=0)
                gate = builder.add("Reshape", builder.add("Sigmoid", mean), builder.ints(1, 1, 1, channels))
                builder.add("Mul", x, gate)
            case "Where":
                builder.add("Where", builder.add("Greater", x, builder.array(0)), x, builder.random(channels))
            case "Dense":
                builder.add("MatMul", x, builder.random(channels, 3))
                channels = 3
            case "Conv":
                first = builder.add("Transpose", x, perm=FIRST)
                conv = builder.add("Conv", first, builder.random(4, channels, 3, 3), pads=[1, 1, 1, 1])
                builder.add("Transpose", conv, perm=LAST)
                channels = 4
    builder.add("Transpose", builder.last, perm=FIRST)
    # Of a gate's four axes one is longer than 1: its Transpose is a Reshape.
    assert check_passes(builder.model(), MoveTransposes, MergeReshapes)["Transpose"] == 0


def test_transposes_that_are_needed_stay() -> None:
    """Attention: tokens are multiplied along both axes; moving the Transpose would only put it elsewhere."""
    builder = GraphBuilder((1, 4, 6, 7))
    tokens = builder.add("Transpose", builder.add("Reshape", "x", builder.ints(1, 4, 42)), perm=[0, 2, 1])
    builder.add("Relu", tokens)
    builder.add("MatMul", builder.last, builder.random(4, 4))
    assert check_passes(builder.model(), MoveTransposes, applies=False)["Transpose"] == 1
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Relu", builder.add("Transpose", "x", perm=[0, 1, 3, 2]))
    check_passes(builder.model(), MoveTransposes, applies=False)


def test_a_transposed_output_keeps_its_name() -> None:
    builder = GraphBuilder((1, 4, 6, 7))
    first = builder.add("Transpose", builder.add("Relu", builder.add("Transpose", "x", perm=LAST)), perm=FIRST)
    given = builder.add("Tanh", builder.add("Transpose", first, perm=LAST))
    assert check_passes(builder.model(first), MoveTransposes)["Transpose"] == 1
    assert given == builder.last
