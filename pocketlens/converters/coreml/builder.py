"""The builder: a MIL function under construction."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.constants import constant
from pocketlens.converters.lowering import rank, shape

Var = Any
"""A variable of coremltools' MIL builder; coremltools has no types."""


class MILBuilder:
    """Adds operations to a MIL function, and remembers which variable holds which value of the graph.

    Attributes:
        precision: ``fp32`` or ``fp16``; what the program will compute in.
    """

    def __init__(self, builder: Any, precision: str) -> None:
        self.precision = precision
        self._builder = builder
        self._variables: dict[str, Var] = {}
        self._prefix = ""
        self._count = 0

    def begin(self, node: ir.Node) -> None:
        """Name the operations that are added next after the node's first output."""
        self._prefix, self._count = node.outputs[0].name or "value", 0

    def bind(self, value: ir.Value, variable: Var) -> None:
        """Let ``variable`` hold a value of the graph."""
        assert value.name is not None
        self._variables[value.name] = variable

    def get(self, value: ir.Value | None) -> Var:
        """The variable that holds a value, or its array if it is a constant."""
        assert value is not None and value.name is not None
        array = constant(value)
        return array if array is not None else self._variables[value.name]

    def add(self, operation: str, **inputs: Any) -> Var:
        """Add an operation and return its output; its name does not depend on what was built before."""
        name = f"{self._prefix}_op{self._count}" if self._count else self._prefix
        self._count += 1
        return getattr(self._builder, operation)(name=name, **inputs)

    def broadcast(self, value: ir.Value | None, to: tuple[int, ...]) -> Var:
        """A value repeated along its axes of length 1, and along new ones in front, until it has the shape ``to``."""
        variable = self.get(value)
        if isinstance(variable, np.ndarray):
            return np.ascontiguousarray(np.broadcast_to(variable, to))
        before = (1,) * (len(to) - rank(value)) + shape(value)
        if before != shape(value):
            variable = self.add("reshape", x=variable, shape=vector(before))
        if before == to:
            return variable
        return self.add("tile", x=variable, reps=vector(b // a for a, b in zip(before, to, strict=True)))


def vector(numbers: Iterable[int]) -> NDArray[np.int32]:
    """A list of integers, as MIL's parameters take it."""
    return np.array(list(numbers), np.int32)
