"""What quantizing each layer costs the picture: played on the graph, one layer quantized at a time and all others in
float.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.quantization import plan as plans
from pocketlens.converters.quantization.plan import Plan, PlanRule
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.images import Floats, Picture

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LayerSensitivity:
    """A convolution or product, or several that read one value: whether that is rounded is decided for all of them.

    Attributes:
        names: The nodes'.
        rules: What keeps them, each with the setting ``float``.
        macs: Multiply-adds of one picture.
        error: Mean squared error of the pixels where this layer alone is quantized; 0..65025.
    """

    names: tuple[str, ...]
    rules: tuple[PlanRule, ...]
    macs: int
    error: float = 0.0

    @property
    def urgency(self) -> float:
        """The error that goes away for each multiply-add that goes back to float."""
        return self.error / max(self.macs, 1)


def quantized_layers(model: ir.Model, plan: Plan) -> list[LayerSensitivity]:
    """The layers that a plan quantizes, in the order of the graph.

    Example:
        >>> from tests.generators import small_graph
        >>> [layer.names for layer in quantized_layers(small_graph(), Plan())][-1]
        ('/last/Conv',)
    """
    nodes = plans.candidates(model)
    together: dict[ir.Value | None, list[ir.Node]] = {}
    for node, _ in plans.quantized_nodes(model, plan):
        together.setdefault(node.inputs[0], []).append(node)
    return [
        LayerSensitivity(
            tuple(plans.name_of(node) for node in group),
            tuple(plans.rule_for_node(node, nodes) for node in group),
            sum(hub.node_macs(node) for node in group),
        )
        for group in together.values()
    ]


def rank_layers(
    float_graph: ir.Model,
    apply_plan: Callable[[Plan], ir.Model],
    plan: Plan,
    pictures: Sequence[Picture],
    notify: Progress = lambda done, total: None,
) -> list[LayerSensitivity]:
    """The layers of a plan with their errors, in the order in which it pays to keep them.

    Errors of different layers hardly depend on each other, so that they add up (:func:`expected_psnr`); keeping those
    first that take the most error away for each multiply-add is the greedy answer to what is a knapsack.

    Args:
        float_graph: The graph in float.
        apply_plan: Writes a plan into it.
        plan: That is asked about.
        pictures: ``uint8 [height, width, 3]`` of the graph's size, none of which judges.
        notify: Told how many layers are done, of how many.
    """
    layers, references = quantized_layers(float_graph, plan), simulate(float_graph, pictures)
    if len(layers) < 2:
        return layers
    errors = []
    for done, layer in enumerate(layers):
        notify(done, len(layers))
        alone = keep_layers(plan, [other for other in layers if other is not layer])
        errors.append(mean_squared_error(simulate(apply_plan(alone), pictures), references))
    rated_layers = [replace(layer, error=cost) for layer, cost in zip(layers, errors, strict=True)]
    return sorted(rated_layers, key=lambda layer: -layer.urgency)


def keep_layers(plan: Plan, kept: Sequence[LayerSensitivity], setting: str = "float") -> Plan:
    """A plan with rules behind the others that keep some layers."""
    rules = tuple(replace(rule, setting=setting) for layer in kept for rule in layer.rules)
    return replace(plan, rules=(*plan.rules, *rules))


def mean_squared_error(pictures: Sequence[Floats], references: Sequence[Floats]) -> float:
    """Mean squared error over all pictures, of values clipped to 0..255."""
    pairs = zip(pictures, references, strict=True)
    return float(np.mean([np.mean((np.clip(a, 0, 255) - np.clip(b, 0, 255)) ** 2) for a, b in pairs]))


def expected_psnr(order: Sequence[LayerSensitivity], kept: int) -> float:
    """PSNR in dB if the first ``kept`` layers are kept and the errors of the others add up.

    Example:
        >>> round(expected_psnr([LayerSensitivity(("a",), (), 1, 9.0), LayerSensitivity(("b",), (), 1, 1.0)], 1), 2)
        48.13
    """
    rest = sum(layer.error for layer in order[kept:])
    return float(10 * np.log10(255.0**2 / max(rest, 1e-9)))
