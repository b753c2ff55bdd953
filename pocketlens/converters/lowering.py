"""How targets lower the graph: a table from ONNX operators to lowerings, of the same form for each target.

A lowering has two functions: ``check`` says why a node cannot be lowered, and ``lower`` builds it. The check reads the
graph alone and comes first, so a graph is refused before anything is built, and also where the packages that build are
not installed.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.emitter import Refusal

Builder = TypeVar("Builder")
"""What a target's lowerings add to: its file under construction."""
Output = TypeVar("Output")
"""How that builder names a value."""

Check = Callable[[ir.Node], str]
"""Why a node cannot be lowered, in words, or an empty string."""
Lower = Callable[[Builder, ir.Node], Output | list[Output]]
"""Adds to the builder what a node needs; returns its output, or a list with every output."""

_COMPUTED = (ir.DataType.FLOAT, ir.DataType.BOOL, None)
"""The types that are computed with; None where it is not known."""
_PLACES = (ir.DataType.INT64, ir.DataType.INT32)
"""The types of places, by which values are taken out of tables."""
PLACE_OPERATORS = (
    "Add",
    "ArgMax",
    "ArgMin",
    "Cast",
    "Clip",
    "Concat",
    "Flatten",
    "Gather",
    "Identity",
    "Max",
    "Min",
    "Mul",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Sub",
    "TopK",
    "Transpose",
    "Unsqueeze",
)
"""What places are computed with, where a target takes integers."""
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
"""Operators that write and read integers."""


@dataclass(frozen=True)
class Lowering(Generic[Builder, Output]):
    """How a target expresses one operator.

    Attributes:
        check: Why a node cannot be lowered.
        lower: Adds to the builder what the node needs.
        needs: What ``check`` asks for, in words; ``docs/operators.md`` shows it.
    """

    check: Check
    lower: Lower[Builder, Output]
    needs: str = ""


def _accept(_: ir.Node) -> str:
    return ""


class LoweringTable(Generic[Builder, Output]):
    """Every ONNX operator that a target can express, and how.

    Args:
        target: Its name.
        check: Why the target refuses a node whatever its operator is, in words; empty if it does not.
        with_places: Operators that take and give integers as well.
    """

    def __init__(self, target: str, check: Check = _accept, with_places: Collection[str] = ()) -> None:
        self.target = target
        self._check, self._with_places = check, with_places
        self._lowerings: dict[str, Lowering[Builder, Output]] = {}

    def register(
        self, *operators: str, check: Check = _accept, needs: str = ""
    ) -> Callable[[Lower[Builder, Output]], Lower[Builder, Output]]:
        """Register a function as the lowering of some operators; see :class:`Lowering` for the arguments."""

        def add(lower: Lower[Builder, Output]) -> Lower[Builder, Output]:
            for operator in operators:
                assert operator not in self._lowerings, operator
                self._lowerings[operator] = Lowering(check, lower, needs)
            return lower

        return add

    def operators(self) -> dict[str, str]:
        """The operators, sorted, and what each asks of its nodes, in words; empty where nothing in particular."""
        return {operator: lowering.needs for operator, lowering in sorted(self._lowerings.items())}

    def lower(self, builder: Builder, node: ir.Node) -> list[Output]:
        """Add to ``builder`` what a node needs that is not refused; its outputs."""
        lowered = self._lowerings[node.op_type].lower(builder, node)
        return lowered if isinstance(lowered, list) else [lowered]

    def refusals(self, model: ir.Model) -> list[Refusal]:
        """Every node that cannot be lowered, with its reason."""
        return [
            Refusal(self.target, node.op_type, node.name or "", reason)
            for node in model.graph
            if not is_constant(node) and (reason := self._why_refused(node))
        ]

    def _why_refused(self, node: ir.Node) -> str:
        if node.domain not in ("", "ai.onnx"):
            return f"it is of the domain {node.domain!r}, and only ONNX's own operators are known"
        if node.op_type not in self._lowerings:
            return "there is no lowering for it"
        types = (*_COMPUTED, *_PLACES) if node.op_type in self._with_places else _COMPUTED
        return self._check(node) or _why_type_refused(node, types) or self._lowerings[node.op_type].check(node)


def _why_type_refused(node: ir.Node, types: Collection[ir.DataType | None]) -> str:
    if node.op_type in _QUANTIZERS:
        return ""
    for value in computed_values(node):
        if value.dtype not in types:
            return f"{value.name!r} is {value.dtype}, only float32 and bool are known"
    return ""


def is_constant(node: ir.Node) -> bool:
    """Whether a node only dequantizes weights: whoever reads them stores them, and it needs no lowering."""
    return constant(node.outputs[0]) is not None


def computed_values(node: ir.Node) -> list[ir.Value]:
    """The inputs that are neither left out nor constant, and the outputs."""
    return [*(value for value in node.inputs if value is not None and constant(value) is None), *node.outputs]


def is_place(value: ir.Value | None) -> bool:
    """Whether a value holds integers."""
    return value is not None and value.dtype in _PLACES


def shape(value: ir.Value | None) -> tuple[int, ...]:
    """The shape of a value that must be there."""
    assert value is not None
    return hub.static_shape(value)


def rank(value: ir.Value | None) -> int:
    """The number of axes."""
    return len(shape(value))


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


def needs_constants(node: ir.Node, what: str, *indices: int) -> str:
    """A reason if one of these inputs is there and not constant.

    Args:
        node: The node.
        what: The inputs and their verb, for instance ``"its weights are"``.
        indices: Which inputs.
    """
    values = (optional(node, index) for index in indices)
    is_computed = any(value is not None and constant(value) is None for value in values)
    return f"{what} computed, not constant" if is_computed else ""


def needs_rank(node: ir.Node, *ranks: int) -> str:
    """A reason if the first input has another rank."""
    if rank(node.inputs[0]) in ranks:
        return ""
    return f"its input has rank {rank(node.inputs[0])}, expected {' or '.join(map(str, ranks))}"
