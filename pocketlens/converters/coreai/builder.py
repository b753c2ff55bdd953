"""The builder: a Core AI graph under construction."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.constants import constant
from pocketlens.converters.coreai.constants import Constants
from pocketlens.converters.coreai.weights import store
from pocketlens.converters.lowering import rank, shape
from pocketlens.converters.quantized_weights import quantized_weights_of

Var = Any
"""A ``coreai.authoring.Value``."""


class CoreAIBuilder:
    """Adds operations to a Core AI graph, and remembers which variable holds which value of the ONNX graph.

    Args:
        dtype: What the program computes in, ``float32`` or ``float16``.

    Attributes:
        ops: The module ``coreai.authoring``, whose functions add operations.
        dtype: What the program computes in.
        constants: Makes constants.
    """

    def __init__(self, dtype: type[np.floating[Any]]) -> None:
        import coreai.authoring as ops

        self.ops = ops
        self.dtype = dtype
        self.constants = Constants()
        self._variables: dict[str, Var] = {}
        self._weights: dict[str, Var] = {}

    def bind(self, value: ir.Value, variable: Var) -> None:
        """Let ``variable`` hold a value of the graph."""
        assert value.name is not None
        self._variables[value.name] = variable

    def get(self, value: ir.Value | None) -> Var:
        """The variable that holds a value; of a constant its weights, in the form in which the graph has them."""
        assert value is not None and value.name is not None
        array = constant(value)
        if array is None:
            return self._variables[value.name]
        if value.name not in self._weights:
            weights = quantized_weights_of(value)
            self._weights[value.name] = store(self.constants, weights, self.dtype) if weights else self.floats(array)
        return self._weights[value.name]

    def operand(self, value: ir.Value | None, axes: int) -> Var:
        """The variable that holds a value, with axes of length 1 in front until it has so many."""
        variable = self.get(value)
        missing = axes - rank(value)
        return self.reshape(variable, (*(1,) * missing, *shape(value))) if missing > 0 else variable

    def floats(self, array: NDArray[np.generic] | float, dtype: type[np.floating[Any]] | None = None) -> Var:
        """A constant of floats, in the type that the program computes in if none is said; booleans stay booleans."""
        array = np.asarray(array)
        return self.constants.array(array if array.dtype == bool else array.astype(dtype or self.dtype))

    def scalar(self, number: float, axes: int, dtype: type[np.floating[Any]] | None = None) -> Var:
        """A constant of one number with so many axes, which broadcasts to any shape."""
        return self.floats(np.full((1,) * axes, number), dtype)

    def reshape(self, x: Var, to: Iterable[int]) -> Var:
        """The same values in another shape."""
        return self.ops.reshape(x, unsigned(to))

    def in_float32(self, x: Var) -> Var:
        """A variable as float32, for what half precision cannot sum up."""
        return x if self.dtype == np.float32 else self.ops.cast(x, np.float32)

    def from_float32(self, x: Var) -> Var:
        """A variable of float32 as what the program computes in."""
        return x if self.dtype == np.float32 else self.ops.cast(x, self.dtype)


def unsigned(numbers: Iterable[int]) -> NDArray[np.uint32]:
    """A list of lengths, as Core AI's operations take it."""
    return np.array(list(numbers), np.uint32)


def signed(numbers: Iterable[int]) -> NDArray[np.int32]:
    """A list of positions or axes, as Core AI's operations take it."""
    return np.array(list(numbers), np.int32)
