"""What may stand behind a pixel shuffle in tests of packed pictures."""

from hypothesis import strategies as st

from tests.converters.graph_builder import GraphBuilder

packed_steps = st.lists(
    st.sampled_from(
        ["norm", "group norm", "Relu", "Tanh", "LeakyRelu", "Clip", "Mul", "number", "rSub", "residual", "Concat"]
    ),
    max_size=5,
)


def add_packed_steps(builder: GraphBuilder, chosen: list[str]) -> int:
    """Put operators behind a pixel shuffle of 4 channels; how many channels come out."""
    channels = 4
    for step in chosen:
        match step:
            case "norm":
                builder.add("InstanceNormalization", builder.last, builder.random(channels), builder.random(channels))
            case "group norm":
                builder.add("Reshape", builder.last, builder.ints(1, 2, -1))
                builder.add("InstanceNormalization", builder.last, builder.random(2), builder.random(2))
                builder.add("Reshape", builder.last, builder.ints(1, channels, 8, 12))
            case "Clip":
                builder.add("Clip", builder.last, builder.array(-1), builder.array(1))
            case "Mul":
                builder.add("Mul", builder.last, builder.random(channels, 1, 1))
            case "number":
                builder.add("Add", builder.array(0.5), builder.last)
            case "rSub":
                builder.add("Sub", builder.random(1, channels, 1, 1), builder.last)
            case "residual" | "Concat":
                first = builder.last
                small = builder.add("Conv", "x", builder.random(16 * channels // 4, 3, 1, 1))
                builder.add("DepthToSpace", small, blocksize=2, mode="CRD")
                if step == "Concat":
                    builder.add("Concat", builder.last, first, axis=1)
                    channels *= 2
                else:
                    builder.add("Add", first, builder.last)
            case _:
                builder.add(step, builder.last)
    return channels
