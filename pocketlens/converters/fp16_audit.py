"""The largest magnitude of every value of the graph on real pictures, compared with the largest number of fp16.

The rule, for each node:

- *value*: the largest magnitude of what it gives. Over 65504 it is infinite in fp16, on every target that computes in
  it.
- *square*: of a norm, the largest ``(x - mean)²``. It is a value of its own wherever the norm is decomposed (TFLite).
- *sum*: of a norm or a mean, the largest ``Σ|x|`` over what it runs over; *squares*: of a norm, the largest
  ``Σ(x - mean)²``. They overflow only where a runtime adds up in fp16.
- *accumulation*: of a convolution or matrix product, the largest ``Σ|weight · x| + |bias|``: no partial sum is larger,
  whatever the order. It overflows only where a runtime accumulates in fp16.

Who computes in half precision: Core ML programs in fp16 always, TFLite and OpenVINO on GPUs that choose it, onnxruntime
on CPUs never (docs/decisions/0002). Who adds up in it is not documented by any of them, so that sums are named as
risks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.images import Picture

Kind = Literal["value", "square", "sum", "squares", "accumulation"]
FP16_MAX = 65504.0
"""The largest finite number of fp16."""
HEADROOM = 4.0
"""Other pictures may go so many times beyond the calibration pictures."""
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_MEANS = ("ReduceMean", "ReduceSum", "GlobalAveragePool")


@dataclass(frozen=True)
class Extent:
    """The largest magnitude of one quantity of a node over all pictures.

    Attributes:
        node: Name of the node.
        operator: Its operator.
        kind: Which quantity of the node; the module explains each.
        largest: The magnitude.
    """

    node: str
    operator: str
    kind: Kind
    largest: float

    @property
    def overflows(self) -> bool:
        """Whether it exceeds the largest number of fp16 on these pictures."""
        return not self.largest <= FP16_MAX

    @property
    def risky(self) -> bool:
        """Whether it may overflow on other pictures, or on devices that keep sums in fp16."""
        return not self.largest <= (FP16_MAX / HEADROOM if self.kind == "value" else FP16_MAX)


def audit(model: ir.Model, pictures: Iterable[Picture]) -> list[Extent]:
    """Play pictures through the graph, one after the other, and keep the largest magnitude of every quantity.

    Each value is reduced to its largest magnitude inside the graph, as soon as it is there, so that memory stays that
    of playing the graph once, whatever the number of pictures.

    Args:
        model: The graph; it is not changed.
        pictures: ``uint8 [height, width, 3]`` of its size, at least one.

    Returns:
        Every extent, in the order of the nodes.
    """
    import onnxruntime as ort

    from pocketlens.converters.quantization.simulate import feeds

    watched, watched_values = _watched(model.clone())
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # In the order of the nodes, and not fused, which changes it: a value goes as soon as it was looked at.
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # they keep what one value needed
    binary = ir.to_proto(watched).SerializeToString()
    session = ort.InferenceSession(binary, options, providers=["CPUExecutionProvider"])
    largest = np.zeros(len(watched_values))
    for feed in feeds(model, pictures):
        maxima = session.run([name for *_, name in watched_values], feed)
        largest = np.fmax(largest, [np.inf if np.isnan(maximum) else float(maximum) for maximum in maxima])
    return [
        Extent(node, op, kind, float(top)) for (node, op, kind, _), top in zip(watched_values, largest, strict=True)
    ]


def _watched(model: ir.Model) -> tuple[ir.Model, list[tuple[str, str, Kind, str]]]:
    """The graph with an output more for each quantity: its largest magnitude, one number.

    What a node reads is looked at before it runs and what it gives right behind it, so that as few values as can be
    are there at once.
    """
    watched_values: list[tuple[str, str, Kind, str]] = []
    for node in tuple(model.graph):
        outputs = [value for value in node.outputs if value.dtype in (ir.DataType.FLOAT, None) and value.name]
        sums: list[tuple[Kind, ir.Value]] = []
        if outputs and not node.domain and node.inputs and node.inputs[0] is not None:
            before = _Nodes(model, node)
            sums = [(kind, before.largest(value)) for kind, value in _sums(before, node, node.inputs[0])]
            model.graph.insert_before(node, before.made)
        behind = _Nodes(model, node)
        quantities: list[tuple[Kind, ir.Value]] = [("value", behind.largest(value)) for value in outputs]
        quantities += sums
        model.graph.insert_after(node, behind.made)
        for kind, top in quantities:
            top.name = f"watched_{len(watched_values)}"
            top.dtype, top.shape = ir.DataType.FLOAT, ir.Shape(())
            model.graph.outputs.append(top)
            watched_values.append((str(node.name), node.op_type, kind, top.name))
    return model, watched_values


class _Nodes:
    """Nodes that look at a value beside one node of the graph."""

    def __init__(self, model: ir.Model, node: ir.Node) -> None:
        self.model, self.node = model, node
        self.made: list[ir.Node] = []

    def add(self, operator: str, inputs: list[ir.Value | None], **attributes: int) -> ir.Value:
        node = ir.node(operator, inputs, dict(attributes))
        node.outputs[0].name = f"watch_{len(self.model.graph)}_{len(self.made)}"
        self.made.append(node)
        return node.outputs[0]

    def axes(self, axes: Iterable[int]) -> ir.Value:
        return hub.add_constant(self.model, f"{self.node.name}_axes", np.array(tuple(axes), np.int64))

    def largest(self, value: ir.Value) -> ir.Value:
        """The largest magnitude; without Abs, whose result would be as large as the value."""
        high, low = (self.add(operator, [value], keepdims=0) for operator in ("ReduceMax", "ReduceMin"))
        return self.add("Max", [high, self.add("Neg", [low])])


def _sums(nodes: _Nodes, node: ir.Node, x: ir.Value) -> list[tuple[Kind, ir.Value]]:
    """What a node adds up of its inputs, and what it squares."""
    rank = len(hub.static_shape(x))
    if node.op_type == "InstanceNormalization":
        axes = nodes.axes(range(2, rank))
        deviation = nodes.add("Sub", [x, nodes.add("ReduceMean", [x, axes])])
        square = nodes.add("Mul", [deviation, deviation])
        sums = nodes.add("ReduceSum", [square, axes])
        return [("square", square), ("squares", sums), ("sum", nodes.add("ReduceL1", [x, axes]))]
    if node.op_type in _MEANS:
        reduced = hub.reduced_axes(node)
        return [("sum", nodes.add("ReduceL1", [x, nodes.axes(range(rank) if reduced is None else reduced)]))]
    if node.op_type in _PRODUCTS:
        inputs = [value if value is None or not value.name else nodes.add("Abs", [value]) for value in node.inputs]
        total = nodes.add(node.op_type, inputs)
        total.producer().attributes.update(node.attributes)  # type: ignore[union-attr]
        return [("accumulation", total)]
    return []
