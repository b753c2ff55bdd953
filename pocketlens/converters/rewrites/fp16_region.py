"""Which values must carry a power of two together, so that one of them fits half precision.

Values are stored as ``true * 2**(-n * ratio)``. The ratio of a value follows from the operator that makes it: a sum
needs one ratio for all its terms, a product adds the ratios of its factors, a square doubles one and a root halves it.
Convolutions, norms and products with constants take a factor in and out by their weights: there a region ends.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit

PRODUCTS = ("Conv", "ConvTranspose")
EDGES = (*PRODUCTS, "BatchNormalization", "Gemm", "InstanceNormalization", "MatMul")
"""Operators whose constant weights take a factor of their first input, and give one to their output."""
_THROUGH = (
    "Abs", "AveragePool", "DepthToSpace", "Expand", "Flatten", "Gather", "GlobalAveragePool", "GlobalMaxPool",
    "GridSample", "Identity", "LeakyRelu", "MaxPool", "Neg", "PRelu", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceSum", "Relu", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
)  # fmt: skip
"""``f(s·x) = s·f(x)`` for every s > 0, of the first input; the others carry no factor."""
SUMS = {"Add": (0, 1), "Clip": (0, 1, 2), "Concat": None, "Max": None, "Min": None, "Pad": (0, 2), "Sub": (0, 1),
         "Sum": None, "Where": (1, 2)}  # fmt: skip
"""Operators whose inputs at these places (None: all) carry one factor, constants included."""
Ratio = Fraction
ONE, NONE = Fraction(1), Fraction(0)


@dataclass
class Region:
    """Values that are scaled together.

    Attributes:
        ratios: What each value is scaled with; 0 for those that were found to keep their size.
        needs: What each node reads each input with, by index; a value with another ratio is multiplied on the way.
        edges: Nodes whose weights take the difference of the ratios.
    """

    ratios: dict[ir.Value, Ratio] = field(default_factory=dict)
    needs: dict[tuple[ir.Node, int], Ratio] = field(default_factory=dict)
    edges: set[ir.Node] = field(default_factory=set)

    def scaled(self) -> list[ir.Value]:
        """The values whose size changes."""
        return [value for value, ratio in self.ratios.items() if ratio]

    def is_closed(self) -> bool:
        """Whether every value is read as it is stored, so that not a node is needed."""
        return not self.conversions()

    def conversions(self) -> dict[tuple[ir.Value, Ratio], list[tuple[ir.Node, int]]]:
        """By value and wanted ratio: who reads it with another one than it is stored with."""
        found: dict[tuple[ir.Value, Ratio], list[tuple[ir.Node, int]]] = {}
        readers = dict.fromkeys((node, index) for value in self.scaled() for node, index in value.uses())
        for node, index in {**readers, **dict.fromkeys(self.needs)}:
            value = node.inputs[index]
            if value is None or constant(value) is not None or (node in self.edges and index == 0):
                continue
            if is_constant_product(node) and node in self.edges:
                continue
            wanted = self.needs.get((node, index), NONE)
            if self.ratios.get(value, NONE) != wanted:
                found.setdefault((value, wanted), []).append((node, index))
        return found


def is_constant_product(node: ir.Node) -> bool:
    """Whether a node multiplies one value with a constant, or divides it by one."""
    if node.domain or node.op_type not in ("Mul", "Div"):
        return False
    constants = [constant(value) is not None for value in node.inputs]
    return constants in ([False, True], [True, False]) if node.op_type == "Mul" else constants == [False, True]


def takes_factors(node: ir.Node) -> bool:
    """Whether the constant weights of a node can take any factor of its first input."""
    if node.domain or node.op_type not in EDGES:
        return False
    computed = [v for v in node.inputs if v is not None and v.name and constant(v) is None]
    return len(computed) == 1 and computed[0] is node.inputs[0]


class _Growth:
    def __init__(self, start: ir.Value, needy: Callable[[ir.Value], bool]) -> None:
        self.region, self.needy = Region(), needy
        self.queue: deque[ir.Value] = deque()
        self.deferred: list[ir.Node] = []
        self.fits = self.store(start, ONE)

    def store(self, value: ir.Value, ratio: Ratio) -> bool:
        """Decide the ratio of a value; False if it has another one."""
        known = self.region.ratios.get(value)
        if known is None:
            self.region.ratios[value] = ratio
            if ratio:
                self.queue.append(value)
        return known is None or known == ratio

    def run(self) -> bool:
        while self.fits and (self.queue or self.deferred):
            if self.queue:
                value = self.queue.popleft()
                self.fits = self._maker(value) and all(self._reader(node, value) for node, _ in tuple(value.uses()))
            else:
                self.fits = self._product(self.deferred.pop(), is_last=True)
        return self.fits

    def _is_edge(self, node: ir.Node, other: ir.Value) -> bool:
        """Whether a factor may end here; at a product with a constant only where what lies behind fits as it is."""
        if takes_factors(node) or (is_constant_product(node) and not self.needy(other)):
            self.region.edges.add(node)
            return True
        return False

    def _maker(self, value: ir.Value) -> bool:
        node = value.producer()
        if node is None or value.is_graph_output() or node.domain:
            return False
        if self._is_edge(node, next(v for v in (*node.inputs, value) if v is not None and constant(v) is None)):
            return True
        return self._same(node, self.region.ratios[value]) if not _is_product(node) else self._product(node)

    def _reader(self, node: ir.Node, value: ir.Value) -> bool:
        if self._is_edge(node, node.outputs[0]):
            return True
        if not self.needy(value):
            return True  # it reads a copy of the true size
        if node.domain:
            return False
        return self._same(node, self.region.ratios[value], value) if not _is_product(node) else self._product(node)

    def _same(self, node: ir.Node, ratio: Ratio, value: ir.Value | None = None) -> bool:
        places = _places(node)
        if places is None or (value is not None and all(node.inputs[i] is not value for i in places)):
            return False
        for index in places:
            term = node.inputs[index] if index < len(node.inputs) else None
            if term is None or constant(term) is not None:
                continue
            if not self._read(node, index, term, ratio):
                return False
        return all(self.store(output, ratio) for output in node.outputs)

    def _read(self, node: ir.Node, index: int, term: ir.Value, ratio: Ratio) -> bool:
        """Let a node read a value with a ratio: stored so where it must be small, else a scaled copy."""
        self.region.needs[node, index] = ratio
        return not self.needy(term) or self.store(term, ratio)

    def _product(self, node: ir.Node, is_last: bool = False) -> bool:
        powers = _powers(node)
        if powers is None:
            return False
        ratios = dict(self.region.ratios)
        unknown = [term for term in powers if term not in ratios]
        result = ratios.get(node.outputs[0])
        if len(unknown) > (result is not None) and not is_last:
            self.deferred.append(node)
            return True
        if unknown and result is not None:  # the smallest factor takes it: that is the cheapest to multiply
            smallest = min(unknown, key=lambda term: math.prod(edit.shape_of(term) or ()))
            rest = result - sum(power * ratios.get(term, NONE) for term, power in powers.items())
            ratios[smallest] = rest / powers[smallest]
        for index, term in enumerate(node.inputs):
            if term in powers and not self._read(node, index, term, ratios.get(term, NONE)):
                return False
        return self.store(
            node.outputs[0], sum((power * ratios.get(term, NONE) for term, power in powers.items()), NONE)
        )


def _places(node: ir.Node) -> tuple[int, ...] | None:
    """The inputs that must carry what the outputs of a node carry; None where no factor passes."""
    if node.op_type in SUMS:
        if node.op_type == "Pad" and hub.text(node, "mode", "constant") != "constant":
            return (0,)
        places = SUMS[node.op_type]
        return tuple(range(len(node.inputs))) if places is None else places
    passes = node.op_type in _THROUGH or is_constant_product(node)
    if node.op_type == "Mul" and passes:
        return (0,) if constant(node.inputs[0]) is None else (1,)
    return (0,) if passes else None


def _is_product(node: ir.Node) -> bool:
    return node.op_type in ("Div", "MatMul", "Mul", "Pow", "Reciprocal", "Sqrt") and not is_constant_product(node)


def _powers(node: ir.Node) -> dict[ir.Value, Fraction] | None:
    """Of a product: each factor that is computed, and its power."""
    first = node.inputs[0]
    if first is None:
        return None
    if node.op_type == "Pow":
        exponent = edit.constant_scalar(node.inputs[1])
        return None if not exponent else {first: Fraction(exponent).limit_denominator(8)}
    if node.op_type in ("Sqrt", "Reciprocal"):
        return {first: Fraction(1, 2) if node.op_type == "Sqrt" else Fraction(-1)}
    powers: dict[ir.Value, Fraction] = {}
    for value, power in zip(node.inputs, (1, -1 if node.op_type == "Div" else 1), strict=True):
        if value is not None and constant(value) is None:
            powers[value] = powers.get(value, NONE) + power
    return powers if all(powers.values()) else None


def region_of(start: ir.Value, needy: Callable[[ir.Value], bool] | None = None) -> Region | None:
    """The values that must be scaled so that ``start`` can be.

    Args:
        start: The value.
        needy: Which values must not be computed at their true size. Others may: they are multiplied where they enter or
            leave the region, which costs nodes. None for every value, which costs none.

    Returns:
        The region, or None if something in it cannot carry a factor.
    """
    growth = _Growth(start, needy or (lambda _: True))
    if not growth.run() or (needy is None and not growth.region.is_closed()):
        return None
    return growth.region
