"""Scales and shifts behind a convolution or norm go into its weights, on random graphs."""

from hypothesis import given
from hypothesis import strategies as st

from pocketlens.converters.rewrites.fold_affine_after import FoldAffineAfter
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import add_affines, affine_steps, check_passes, quick


@quick
@given(
    affine_steps,
    st.sampled_from(["Conv", "grouped", "depthwise", "ConvTranspose", "grouped up", "norm"]),
    st.booleans(),
)
def test_affine_behind_goes_into_weights(chosen: list, kind: str, bias: bool) -> None:
    builder = GraphBuilder((1, 4, 6, 7), len(chosen))
    inputs = [builder.random(4)] if bias else []
    match kind:
        case "norm":
            builder.add("InstanceNormalization", "x", builder.random(4), builder.random(4))
        case "Conv":
            builder.add("Conv", "x", builder.random(4, 4, 3, 3), *inputs, pads=[1, 0, 2, 1])
        case "grouped":
            builder.add("Conv", "x", builder.random(4, 2, 3, 3), *inputs, group=2)
        case "depthwise":
            builder.add("Conv", "x", builder.random(4, 1, 3, 3), *inputs, group=4)
        case "ConvTranspose":
            builder.add(
                "ConvTranspose", "x", builder.random(4, 4, 3, 3), *inputs, strides=[2, 2], output_padding=[1, 0]
            )
        case _:
            builder.add("ConvTranspose", "x", builder.random(4, 2, 3, 3), *inputs, group=2)
    add_affines(builder, chosen)
    assert sum(check_passes(builder.model(), FoldAffineAfter).values()) == 1


def test_affine_behind_that_must_stay() -> None:
    for case in ("second reader", "a number a pixel", "given away", "grows"):
        builder = GraphBuilder((1, 4, 6, 7))
        conv = builder.add("Conv", "x", builder.random(1 if case == "grows" else 4, 4, 1, 1))
        out = builder.add(
            "Mul", conv, builder.random(*{"a number a pixel": (6, 7), "grows": (4, 1, 1)}.get(case, (4, 1, 1)))
        )
        if case == "second reader":
            builder.add("Concat", out, conv, axis=1)
        check_passes(builder.model(*([conv] if case == "given away" else [])), FoldAffineAfter, applies=False)
