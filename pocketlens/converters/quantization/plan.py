"""The plan: ordered rules that say how each convolution computes. The last rule that matches a node wins."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens import patterns
from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant, is_weighted_mean
from pocketlens.errors import InputError
from pocketlens.precisions import PRECISIONS

SETTINGS: tuple[str, ...] = ("float", *(precision.name for precision in PRECISIONS.values() if precision.is_low_bit))
"""How a node computes: in floats, or with its weights or activations quantized, as the precision of that name."""
RANGES: tuple[str, ...] = ("minmax", "percentile", "mse")
QUANTIZED_OPERATORS = hub.WEIGHTED_OPERATORS
"""What is quantized, where its weights are constant. Norms never are: it cost 8 dB and gained nothing."""
_NUMBERED = re.compile(r"node_\w*_\d+")
"""Names that a graph gives to nodes without any; they change with everything before them."""


@dataclass(frozen=True)
class PlanRule:
    """One rule of a plan.

    Attributes:
        match: A regular expression, searched in a node's name and in the names of its weights and output.
        setting: One of :data:`SETTINGS`, for instance ``float``, or ``int8-a16`` (8-bit weights, 16-bit activations).
        operator: Only nodes of this ONNX operator, for instance ``ConvTranspose``; empty for all.
    """

    match: str
    setting: str
    operator: str = ""

    def __post_init__(self) -> None:
        if self.operator not in ("", *QUANTIZED_OPERATORS):
            raise InputError(
                f"no plan can choose {self.operator!r}", do=f"choose from {', '.join(QUANTIZED_OPERATORS)}"
            )
        if self.setting not in SETTINGS:
            raise InputError(f"there is no setting {self.setting!r}", do=f"choose from {', '.join(SETTINGS)}")
        if reason := patterns.problem(self.match):
            raise InputError(f"{self.match[:60]!r} cannot be searched for: {reason}", do="mend the rule")

    def fits(self, node: ir.Node) -> bool:
        """Whether the rule applies to a node."""
        if self.operator not in ("", node.op_type):
            return False
        return any(patterns.is_in(self.match, name) for name in names_of(node))


@dataclass(frozen=True)
class Plan:
    """How a graph is quantized.

    Attributes:
        rules: In order; the last that matches wins. A node that none matches stays float.
        ranges: How activations' ranges are found: ``minmax``, ``percentile`` or ``mse``.
        equalize: How far channels are equalized, 0 (not) to 1 (all equal).
        correct_bias: Shift biases by what rounded weights change on average.
    """

    rules: tuple[PlanRule, ...] = (PlanRule("", "int8"),)
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
            >>> Plan((PlanRule("", "int8"), PlanRule("^last", "float"))).setting(node)
            'float'
        """
        settings = [rule.setting for rule in self.rules if rule.fits(node)]
        return settings[-1] if settings else "float"

    def keeping(self, matches: Iterable[str], setting: str = "float") -> "Plan":
        """The same plan with more rules behind the others."""
        return replace(self, rules=(*self.rules, *(PlanRule(match, setting) for match in matches)))

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON documents hold it; :meth:`from_json` reads it back."""
        return asdict(self) | {"rules": [asdict(rule) for rule in self.rules]}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Plan":
        """Read what :meth:`to_json` wrote.

        Example:
            >>> Plan.from_json({"rules": [{"match": "", "setting": "int8"}]}) == Plan()
            True
        """
        return cls(**document | {"rules": tuple(PlanRule(**rule) for rule in document["rules"])})


def default_plan(precision: str) -> Plan:
    """The plan of a precision for any graph."""
    return Plan((PlanRule("", precision),))


def rules_for_few_inputs(model: ir.Model, min_input_channels: int, precision: str) -> tuple[PlanRule, ...]:
    """Rules that keep in float the convolutions of fewer input channels, which integer kernels compute slower than
    float ones.

    Args:
        model: The graph.
        min_input_channels: Of the target: :attr:`pocketlens.targets.Target.min_int8_input_channels`.
        precision: There are none but for ``int8``.
    """
    if precision != "int8":
        return ()
    nodes = candidates(model)
    few_inputs = [node for node in nodes if node.op_type == "Conv" and _weight(node).shape[1] < min_input_channels]
    return tuple(rule_for_node(node, nodes) for node in few_inputs) if len(few_inputs) < len(nodes) else ()


def rule_for_node(node: ir.Node, others: Sequence[ir.Node], setting: str = "float") -> PlanRule:
    """A rule that matches one node and no other."""
    uses = Counter(name for other in others for name in names_of(other))
    name = next((name for name in (name_of(node), *names_of(node)) if uses[name] == 1), "")
    assert name, f"{node.name} shares every name with another"
    return PlanRule(f"^{escape_name(name)}$", setting)


def names_of(node: ir.Node) -> list[str]:
    """What a rule can match: the node's own name, its output's and its constants'. Rewrites keep one of them."""
    values = [*node.outputs, *(v for v in node.inputs if v is not None and constant(v) is not None)]
    return [str(node.name or ""), *(str(value.name) for value in values)]


def candidates(model: ir.Model) -> list[ir.Node]:
    """Every node that could be quantized: convolutions and products with constant weights.

    What a pack computes from its style alone stays as it is: a few hundred products, on which every pixel depends.
    """
    nodes = filter(hub.is_of_picture(model), model.graph)
    return [n for n in nodes if n.op_type in QUANTIZED_OPERATORS and _constant_weight(n) and not _is_quantized(n)]


def quantized_nodes(model: ir.Model, plan: Plan) -> list[tuple[ir.Node, str]]:
    """The nodes that a plan quantizes, each with its setting."""
    settings = [(node, plan.setting(node)) for node in candidates(model)]
    return [(node, setting) for node, setting in settings if setting != "float"]


def fallback_sentence(kept: int, total: int, gained_db: float, cost_ms: float | None, setting: str = "float") -> str:
    """What a fallback costs, in words; without times where nothing was timed.

    Example:
        >>> fallback_sentence(3, 16, 11.2, 4.1)
        '3 of 16 convs in float: +11.2 dB, +4.1 ms'
        >>> fallback_sentence(3, 16, 9.8, None, "int8-a16")
        '3 of 16 convs in int8-a16: +9.8 dB'
    """
    cost = "" if cost_ms is None else f", {cost_ms:+.1f} ms"
    return f"{kept} of {total} convs in {setting}: {gained_db:+.1f} dB{cost}"


def escape_name(name: str) -> str:
    r"""A regular expression for a name, with as few backslashes as it can have.

    Example:
        >>> escape_name("/up.0/conv-1/Conv_output_0")
        '/up\\.0/conv-1/Conv_output_0'
    """
    return re.sub(r"[.^$*+?{}\[\]\\|()]", r"\\\g<0>", name)


def _weight(node: ir.Node) -> NDArray[np.generic]:
    array = constant(node.inputs[1])
    assert array is not None
    return array


def _constant_weight(node: ir.Node) -> bool:
    return len(node.inputs) > 1 and constant(node.inputs[1]) is not None and not is_weighted_mean(node)


def _is_quantized(node: ir.Node) -> bool:
    """Whether it was already decided about a node: it reads rounded values."""
    producer = node.inputs[0].producer() if node.inputs[0] is not None else None
    return producer is not None and producer.op_type == "DequantizeLinear"


def has_quantizers(model: ir.Model) -> bool:
    """Whether a graph rounds values or has integers as weights."""
    return any(node.op_type == "DequantizeLinear" for node in model.graph)


def is_quantized(model: ir.Model) -> bool:
    """Whether convolutions or products of a graph read rounded values: by quantization-aware training, or since another
    tool has quantized it.
    """
    return any(node.op_type in QUANTIZED_OPERATORS and _is_quantized(node) for node in model.graph)


def check_rules(model: ir.Model, rules: Sequence[PlanRule]) -> None:
    """Check that every rule matches something.

    Raises:
        InputError: One matches no convolution; the message lists the names that there are.
    """
    nodes = candidates(model)
    for rule in rules:
        if not any(rule.fits(node) for node in nodes):
            which = " ".join(filter(None, (repr(rule.match), rule.operator)))
            known = ", ".join(dict.fromkeys(name_of(node) for node in nodes))
            raise InputError(f"the rule {which} matches no convolution", do=f"names are {known}")


def name_of(node: ir.Node) -> str:
    """What people call a node: its own name, or its output's where its own is only a number."""
    return next((name for name in names_of(node) if name and not _NUMBERED.fullmatch(name)), str(node.name))
