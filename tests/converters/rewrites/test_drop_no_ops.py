"""Nodes that do nothing go, and those that only look like it stay."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from pocketlens.converters.rewrites.drop_no_ops import DropNoOps
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes, quick

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
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Relu", "x")
    for op in order[:count]:
        x = builder.last
        match op:
            case "Add" | "Sub":
                builder.add(op, x, builder.array(np.zeros((4, 1, 1))))
            case "Mul" | "Div" | "Pow":
                builder.add(op, x, builder.array(1))
            case "Pad":
                builder.add(op, x, builder.ints(*[0] * 8))
            case "Slice":
                builder.add(op, x, builder.ints(0, -100), builder.ints(2**40, 7), builder.ints(2, 3))
            case "Resize":
                builder.add(
                    op,
                    x,
                    "",
                    builder.array([1, 1, 1, 1]),
                    mode="linear",
                    coordinate_transformation_mode="align_corners",
                )
            case "Expand":
                builder.add(op, x, builder.ints(1, 4, 1, 7))
            case "Tile":
                builder.add(op, x, builder.ints(1, 1, 1, 1))
            case "Clip":
                builder.add(op, x)
            case _:
                builder.add(op, x, **(SAME[op] or {}))
    builder.add("Tanh", builder.last)
    assert check_passes(builder.model(), DropNoOps) == {"Relu": 1, "Tanh": 1}


def test_what_only_looks_like_a_no_op_stays() -> None:
    builder = GraphBuilder((1, 4, 6, 6))
    builder.add("Slice", "x", builder.ints(-1), builder.ints(-100), builder.ints(2), builder.ints(-1))
    builder.add("Add", builder.last, builder.array([0] * 5 + [1]))
    builder.add("Sub", builder.array(0), builder.last)
    builder.add("Div", builder.array(1), builder.last)
    builder.add("MaxPool", builder.last, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    builder.add("Transpose", builder.last, perm=[0, 1, 3, 2])
    builder.add("Pad", builder.last, builder.ints(0, 0, 1, 0, 0, 0, -1, 0))
    builder.add("Clip", builder.last, builder.array(-1))
    assert sum(check_passes(builder.model(), DropNoOps, applies=False).values()) == 8
