"""The plan: ordered rules that say how each convolution computes. The last rule that matches a node wins."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.errors import InputError

Setting = Literal["float", "int8", "int8-a16"]
SETTINGS: tuple[str, ...] = ("float", "int8", "int8-a16")
RANGES: tuple[str, ...] = ("minmax", "percentile", "mse")
OPERATORS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""What is quantized, where its weights are constant. Norms never are: it cost 8 dB and gained nothing."""


@dataclass(frozen=True)
class Rule:
    """One rule of a plan.

    Attributes:
        match: A regular expression, searched in a node's name and in the names of its weights and output.
        setting: ``float``, ``int8``, or ``int8-a16`` (8-bit weights, 16-bit activations).
    """

    match: str
    setting: str

    def __post_init__(self) -> None:
        if self.setting not in SETTINGS:
            raise InputError(f"there is no setting {self.setting!r}", do=f"choose from {', '.join(SETTINGS)}")
        try:
            re.compile(self.match)
        except re.error as error:
            raise InputError(f"{self.match!r} is no regular expression: {error}", do="mend the rule") from error


@dataclass(frozen=True)
class Plan:
    """How a graph is quantized.

    Attributes:
        rules: In order; the last that matches wins. A node that none matches stays float.
        ranges: How activations' ranges are found: ``minmax``, ``percentile`` or ``mse``.
        equalize: How far channels are evened out, 0 (not) to 1 (all equal).
        correct_bias: Shift biases by what rounded weights change on average.
    """

    rules: tuple[Rule, ...] = (Rule("", "int8"),)
    ranges: str = "mse"
    equalize: float = 0.5
    correct_bias: bool = True

    def __post_init__(self) -> None:
        if self.ranges not in RANGES:
            raise InputError(f"there are no ranges {self.ranges!r}", do=f"choose from {', '.join(RANGES)}")
        if not 0 <= self.equalize <= 1:
            raise InputError(f"equalize is {self.equalize:g}, expected 0 to 1", do="1 evens out all channels")

    def setting(self, node: ir.Node) -> str:
        """How a node computes.

        Example:
            >>> node = ir.node("Conv", [], name="last")
            >>> Plan((Rule("", "int8"), Rule("^last", "float"))).setting(node)
            'float'
        """
        names = names_of(node)
        found = [rule.setting for rule in self.rules if any(re.search(rule.match, name) for name in names)]
        return found[-1] if found else "float"

    def keeping(self, matches: Iterable[str], setting: str = "float") -> "Plan":
        """The same plan with more rules behind the others."""
        return Plan((*self.rules, *(Rule(m, setting) for m in matches)), self.ranges, self.equalize, self.correct_bias)

    def to_json(self) -> dict[str, Any]:
        """As the manifest stores it; :meth:`from_json` reads it back."""
        return asdict(self) | {"rules": [[rule.match, rule.setting] for rule in self.rules]}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Plan":
        """Read what :meth:`to_json` wrote, or a recipe's ``[quantize]``.

        Example:
            >>> Plan.from_json({"rules": [["", "int8"]]}) == Plan()
            True
        """
        rest = {key: value for key, value in document.items() if key != "rules"}
        if "rules" in document:
            rest["rules"] = tuple(Rule(match, setting) for match, setting in document["rules"])
        return cls(**rest)


def default(precision: str) -> Plan:
    """The plan of a precision where the recipe gives none."""
    return Plan((Rule("", precision),))


def names_of(node: ir.Node) -> list[str]:
    """What a rule can match: the node's own name, its output's and its constants'. Rewrites keep one of them."""
    values = [*node.outputs, *(v for v in node.inputs if v is not None and hub.constant(v) is not None)]
    return [str(node.name or ""), *(str(value.name) for value in values)]


def candidates(model: ir.Model) -> list[ir.Node]:
    """Every node that could be quantized: convolutions and products with constant weights."""
    return [n for n in model.graph if n.op_type in OPERATORS and _constant_weight(n) and not _taken(n)]


def chosen(model: ir.Model, plan: Plan) -> list[tuple[ir.Node, str]]:
    """The nodes that a plan quantizes, each with its setting."""
    settings = [(node, plan.setting(node)) for node in candidates(model)]
    return [(node, setting) for node, setting in settings if setting != "float"]


def sentence(kept: int, of: int, gained_db: float, cost_ms: float) -> str:
    """What a fallback costs, in words.

    Example:
        >>> sentence(3, 16, 11.2, 4.1)
        '3 of 16 convs in float: +11.2 dB, +4.1 ms'
    """
    return f"{kept} of {of} convs in float: {gained_db:+.1f} dB, {cost_ms:+.1f} ms"


def _constant_weight(node: ir.Node) -> bool:
    return len(node.inputs) > 1 and hub.constant(node.inputs[1]) is not None


def _taken(node: ir.Node) -> bool:
    """Whether quantization-aware training has already decided about a node."""
    maker = node.inputs[0].producer() if node.inputs[0] is not None else None
    return maker is not None and maker.op_type == "DequantizeLinear"


def has_quantizers(model: ir.Model) -> bool:
    """Whether a graph comes with a decision of its own."""
    return any(node.op_type == "DequantizeLinear" for node in model.graph)


def check_rules(model: ir.Model, rules: Sequence[Rule]) -> None:
    """Check that every rule matches something.

    Raises:
        InputError: One matches no convolution; the message lists the names that there are.
    """
    nodes = candidates(model)
    for rule in rules:
        if not any(re.search(rule.match, name) for node in nodes for name in names_of(node)):
            known = ", ".join(names_of(node)[0] for node in nodes[:8])
            raise InputError(f"the rule {rule.match!r} matches no convolution", do=f"names are for instance {known}")
