"""One strategy an operator; importing this fills the table."""

from tests.conformance.draws import CASES
from tests.conformance.operators import (  # noqa: F401 - each registers its strategies
    activations,
    arithmetic,
    convolution,
    depth_to_space,
    linear,
    normalization,
    others,
    padding,
    pooling,
    quantization,
    reductions,
    resize,
    shapes,
)

__all__ = ["CASES"]
