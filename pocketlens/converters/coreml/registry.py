"""The table of operators: how each is checked and lowered. One table serves both, so the two cannot disagree."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant

MAX_RANK = 5
"""The most axes that a Core ML tensor has."""

Var = Any
"""A variable of coremltools' MIL builder; coremltools has no types."""
Check = Callable[[ir.Node], str]
"""Why a node cannot be lowered, in words, or an empty string."""
Lower = Callable[["Scope", ir.Node], Any]
"""Builds a node's operations and returns the variable of its output, or a tuple with one for each output."""


@dataclass(frozen=True)
class Lowering:
    """How one operator becomes MIL.

    Attributes:
        check: Why a node cannot be lowered.
        lower: Builds its operations.
        needs: What ``check`` asks for, in words; ``docs/operators.md`` shows it.
    """

    check: Check
    lower: Lower
    needs: str = ""


TABLE: dict[str, Lowering] = {}
"""Every operator that can be expressed; filled by the modules of ``lowerings``."""


def _anything(_: ir.Node) -> str:
    return ""


def lowering(*operators: str, check: Check = _anything, needs: str = "") -> Callable[[Lower], Lower]:
    """Register a function as the lowering of some operators."""

    def register(lower: Lower) -> Lower:
        for operator in operators:
            TABLE[operator] = Lowering(check, lower, needs)
        return lower

    return register


class Scope:
    """A MIL function under construction.

    Attributes:
        precision: ``fp32`` or ``fp16``; what the program will compute in.
    """

    def __init__(self, builder: Any, precision: str) -> None:
        self.precision = precision
        self._builder = builder
        self._vars: dict[str, Var] = {}
        self._label = ""
        self._count = 0

    def begin(self, node: ir.Node) -> None:
        """Name the operations that follow after the node's first output."""
        self._label, self._count = node.outputs[0].name or "value", 0

    def bind(self, value: ir.Value, var: Var) -> None:
        """Say which variable holds a value of the graph."""
        assert value.name is not None
        self._vars[value.name] = var

    def get(self, value: ir.Value | None) -> Var:
        """The variable that holds a value, or its array if it is a constant."""
        assert value is not None and value.name is not None
        array = constant(value)
        return array if array is not None else self._vars[value.name]

    def op(self, kind: str, **inputs: Any) -> Var:
        """Add an operation; the name of each is given, so that it does not depend on what was built before."""
        name = f"{self._label}_op{self._count}" if self._count else self._label
        self._count += 1
        return getattr(self._builder, kind)(name=name, **inputs)

    def spread(self, value: ir.Value | None, to: tuple[int, ...]) -> Var:
        """A value repeated along its axes of length 1, and along new ones in front, until it has a shape."""
        found = self.get(value)
        if isinstance(found, np.ndarray):
            return np.ascontiguousarray(np.broadcast_to(found, to))
        before = (1,) * (len(to) - rank(value)) + shape(value)
        if before != shape(value):
            found = self.op("reshape", x=found, shape=vector(before))
        if before == to:
            return found
        return self.op("tile", x=found, reps=vector(b // a for a, b in zip(before, to, strict=True)))


def vector(values: Iterable[int]) -> NDArray[np.int32]:
    """A list of integers, as MIL's parameters take it."""
    return np.array(list(values), np.int32)


def rank(value: ir.Value | None) -> int:
    """The number of axes."""
    assert value is not None
    return len(hub.static_shape(value))


def shape(value: ir.Value | None) -> tuple[int, ...]:
    """The shape of a value that must be there."""
    assert value is not None
    return hub.static_shape(value)


def optional(node: ir.Node, index: int) -> ir.Value | None:
    """An input that may be left out."""
    return node.inputs[index] if len(node.inputs) > index else None


def integers(node: ir.Node, index: int) -> tuple[int, ...] | None:
    """The integers of a constant input, or None where it is absent or not constant."""
    array = constant(optional(node, index))
    return None if array is None else tuple(int(i) for i in array.reshape(-1))


def floats(node: ir.Node, index: int) -> NDArray[np.float32] | None:
    """The array of a constant input, or None where it is absent or not constant."""
    array = constant(optional(node, index))
    return None if array is None else np.asarray(array, np.float32)


def needs_constants(node: ir.Node, *indices: int) -> str:
    """A reason if one of these inputs is there and not constant."""
    for index in indices:
        value = optional(node, index)
        if value is not None and constant(value) is None:
            return f"its input {index} ({value.name!r}) is computed, and has to be constant"
    return ""


def needs_rank(node: ir.Node, wanted: int) -> str:
    """A reason if the first input has another rank."""
    found = rank(node.inputs[0])
    return "" if found == wanted else f"it takes {wanted} axes, here are {found}"
