"""An Einsum of two values becomes a matrix product, with the same values."""

import pytest

from pocketlens.converters.rewrites.decompose_einsum import DecomposeEinsum
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes


@pytest.mark.parametrize(
    ("equation", "other"),
    [
        ("nchw,ncij->nhwij", (1, 4, 2, 3)),
        ("nchw,ncij->ijnhw", (1, 4, 2, 3)),
        ("nchw,co->nohw", (4, 6)),
        ("nchw,c->nhw", (4,)),
        ("nchw,kl->nck", (3, 2)),
    ],
)
def test_the_values_are_the_sums(equation: str, other: tuple[int, ...]) -> None:
    builder = GraphBuilder((1, 4, 5, 6))
    builder.add("Einsum", "x", builder.random(*other), equation=equation)
    left = check_passes(builder.model(), DecomposeEinsum)
    assert "Einsum" not in left and left["MatMul"] == 1


@pytest.mark.parametrize(("equation", "sums"), [("nchw,nchw->nc", 1), ("nchw,nchw->wc", 1), ("nchw,whnc->chnw", 0)])
def test_without_rows_and_columns_it_is_a_product_and_a_sum(equation: str, sums: int) -> None:
    lengths = dict(zip("nchw", (1, 4, 5, 6), strict=True))
    builder = GraphBuilder((1, 4, 5, 6))
    right = equation.split(",")[1].split("-", maxsplit=1)[0]
    builder.add("Einsum", "x", builder.random(*(lengths[axis] for axis in right)), equation=equation)
    left = check_passes(builder.model(), DecomposeEinsum)
    assert (left["Einsum"], left["MatMul"], left["Mul"], left["ReduceSum"]) == (0, 0, 1, sums)


@pytest.mark.parametrize("equation", ["...hw,hk->...kw", "cchw,ck->khw"])
def test_others_stay(equation: str) -> None:
    builder = GraphBuilder((4, 4, 5, 6))
    builder.add("Einsum", "x", builder.random(5 if equation.startswith(".") else 4, 3), equation=equation)
    assert check_passes(builder.model(), DecomposeEinsum, applies=False)["Einsum"] == 1
