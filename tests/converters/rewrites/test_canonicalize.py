"""All passes that every target wants, together, on random graphs."""

import onnx_ir as ir
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocketlens.converters.rewrites.canonicalize import canonicalize
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import FIRST, LAST, add_affines, add_norm, assert_close, play

blocks = st.lists(
    st.sampled_from(["conv", "norm", "group", "last", "affine", "relu", "skip", "up", "layer"]), min_size=1, max_size=6
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(blocks, st.integers(0, 99))
def test_cleaning_is_exact_and_finished(chosen: list[str], seed: int) -> None:
    builder = GraphBuilder((1, 4, 6, 8), seed)
    builder.add("Mul", "x", builder.array(2))
    builder.add("Add", builder.last, builder.array(-1))
    height, width = 6, 8
    for block in chosen:
        x = builder.last
        match block:
            case "conv":
                padded = builder.add("Pad", x, builder.ints(0, 0, 1, 1, 0, 0, 1, 1))
                builder.add("Conv", padded, builder.random(4, 4, 3, 3), builder.random(4))
                builder.add("Mul", builder.last, builder.array(0.1))
                add_affines(builder, [("Batch", ())])
            case "norm":
                add_norm(builder, "multiplied out", (2, 3), x)
            case "group":
                view = builder.add("Reshape", x, builder.ints(0, 2, -1))
                builder.add("InstanceNormalization", view, builder.array([1, 1]), builder.array([0, 0]))
                builder.add("Reshape", builder.last, builder.add("Shape", x))
                add_affines(builder, [("Mul", (4, 1, 1)), ("Add", (4, 1, 1))])
            case "last":
                turned = builder.add("Transpose", x, perm=LAST)
                builder.add("Add", builder.add("MatMul", turned, builder.random(4, 4)), builder.random(4))
                builder.add("Transpose", builder.last, perm=FIRST)
            case "affine":
                add_affines(builder, [("Mul", (4, 1, 1)), ("Mul", ()), ("Add", ())])
            case "relu":
                builder.add("Relu", builder.add("Identity", x))
            case "skip":
                builder.add("Add", x, builder.add("Tanh", x))
            case "up":
                height, width = 2 * height, 2 * width
                shape = builder.add("Shape", x)
                size = builder.add(
                    "Mul", builder.add("Slice", shape, builder.ints(2), builder.ints(4)), builder.ints(2, 2)
                )
                size = builder.add(
                    "Concat", builder.add("Slice", shape, builder.ints(0), builder.ints(2)), size, axis=0
                )
                builder.add("Resize", x, "", "", size, mode="linear")
            case "layer":
                turned = builder.add("Transpose", x, perm=LAST)
                builder.add("LayerNormalization", turned, builder.random(4), builder.random(4), epsilon=1e-3)
                builder.add("Transpose", builder.last, perm=FIRST)
        if (height, width) > (48, 64):
            break
    builder.add("Tanh", builder.last)
    model = builder.model()
    before = play(model)
    canonicalize(model)
    assert_close(play(model), before)
    assert not {"Transpose", "Identity", "Shape", "MatMul", "Pad", "BatchNormalization"} & {
        n.op_type for n in model.graph
    }
    once = ir.to_proto(model).SerializeToString(deterministic=True)
    canonicalize(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == once
