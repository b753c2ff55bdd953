"""One strategy an operator; importing this fills the table."""

from tests.conformance.draws import CASES
from tests.conformance.operators import (  # noqa: F401 - each registers its strategies
    broadcasts,
    convolutions,
    functions,
    linear,
    moves,
    norms,
    others,
    pads,
    pools,
    reductions,
    resizes,
    rounding,
    shuffles,
)

__all__ = ["CASES"]
