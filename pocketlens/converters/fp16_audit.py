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
    options.log_severity_level = 3
    # A value goes as soon as it was looked at: by default onnxruntime plays the whole graph first.
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    options.enable_cpu_mem_arena = False  # it never gives back what one value needed
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
    """The graph with an output more for each quantity: its largest magnitude, one number."""
    watched_values: list[tuple[str, str, Kind, str]] = []
    for node in tuple(model.graph):
        for kind, value in _values_to_watch(model, node):
            top = _add(model, "ReduceMax", [_add(model, "Abs", [value])], keepdims=0)
            top.name = f"watched_{len(watched_values)}"
            top.dtype, top.shape = ir.DataType.FLOAT, ir.Shape(())
            model.graph.outputs.append(top)
            watched_values.append((str(node.name), node.op_type, kind, top.name))
    return model, watched_values


def _values_to_watch(model: ir.Model, node: ir.Node) -> list[tuple[Kind, ir.Value]]:
    outputs = [value for value in node.outputs if value.dtype in (ir.DataType.FLOAT, None)]
    things: list[tuple[Kind, ir.Value]] = [("value", value) for value in outputs if value.name]
    x = node.inputs[0] if node.inputs else None
    if node.domain or x is None or not things:
        return things
    if node.op_type == "InstanceNormalization":
        axes = hub.add_constant(model, f"{node.name}_axes", np.arange(2, len(hub.static_shape(x)), dtype=np.int64))
        deviation = _add(model, "Sub", [x, _add(model, "ReduceMean", [x, axes])])
        square = _add(model, "Mul", [deviation, deviation])
        things += [("square", square), ("squares", _add(model, "ReduceSum", [square, axes]))]
        things.append(("sum", _add(model, "ReduceL1", [x, axes])))
    elif node.op_type in _MEANS:
        axes_reduced = hub.reduced_axes(node)
        axes_reduced = tuple(range(len(hub.static_shape(x)))) if axes_reduced is None else axes_reduced
        axes = hub.add_constant(model, f"{node.name}_axes", np.array(axes_reduced, np.int64))
        things.append(("sum", _add(model, "ReduceL1", [x, axes])))
    elif node.op_type in _PRODUCTS:
        inputs = [value if value is None or not value.name else _add(model, "Abs", [value]) for value in node.inputs]
        total = _add(model, node.op_type, inputs)
        total.producer().attributes.update(node.attributes)  # type: ignore[union-attr]
        things.append(("accumulation", total))
    return things


def _add(model: ir.Model, operator: str, inputs: list[ir.Value | None], **attributes: int) -> ir.Value:
    node = ir.node(operator, inputs, dict(attributes))
    node.outputs[0].name = f"watch_{len(model.graph)}"
    model.graph.append(node)
    return node.outputs[0]
