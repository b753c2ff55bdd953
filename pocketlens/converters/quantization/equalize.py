"""Cross-layer equalization: every channel of a value gets the same range, and no pixel changes.

One range a value is what 8 bits suffer from: a quiet channel beside a loud one has a handful of levels left. A
channel's factor passes through Relu and sums, can be made by a norm's scale and shift or by a convolution's output, and
is taken back by the next convolution's input. (Nagel et al. 2019 do so between convolutions, Xiao et al. 2022 behind
layer norms.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization.calibrate import ActivationStatistics
from pocketlens.converters.rewrites.edit import only_consumer

MAX_FACTOR = 64.0
"""A channel's factor is within 1 / LARGEST and LARGEST: quiet channels are mostly noise."""
_TRANSPARENT = ("Relu", "LeakyRelu", "Add", "Sub")
_PRODUCERS = ("InstanceNormalization", "Conv", "ConvTranspose")
_CONSUMERS = ("Conv", "ConvTranspose")


@dataclass
class _ChannelGroup:
    """Values whose channels must be scaled alike, the nodes that produce them and those that take the factor back."""

    values: list[ir.Value] = field(default_factory=list)
    producers: list[ir.Node] = field(default_factory=list)
    consumers: list[ir.Node] = field(default_factory=list)


def values_to_calibrate(model: ir.Model) -> list[str]:
    """The values whose statistics :func:`equalize` needs."""
    return [str(value.name) for group in _groups(model) for value in group.values]


def equalize(model: ir.Model, statistics: Mapping[str, ActivationStatistics], strength: float = 1.0) -> int:
    """Equalize the ranges of the channels of every value that convolutions read. In place; the pixels are the same.

    Args:
        model: The graph.
        statistics: Of the values of :func:`values_to_calibrate`.
        strength: 1 makes all channels equal; 0 changes nothing.

    Returns:
        How many values were changed.
    """
    groups = _groups(model) if strength > 0 else []
    for group in groups:
        ranges = [
            np.maximum(np.abs(statistics[str(v.name)].low), np.abs(statistics[str(v.name)].high)) for v in group.values
        ]
        loudest = np.maximum.reduce(ranges)
        typical = float(np.exp(np.log(np.maximum(loudest, 1e-12)).mean()))
        factor = np.clip(loudest / typical, 1 / MAX_FACTOR, MAX_FACTOR) ** strength
        for node in group.producers:
            _divide(model, node, factor)
        for node in group.consumers:
            _multiply(model, node, factor)
    return sum(len(group.values) for group in groups)


def _groups(model: ir.Model) -> list[_ChannelGroup]:
    seen: set[ir.Value] = set()
    groups = []
    for node in model.graph:
        start = node.inputs[0] if node.op_type in _CONSUMERS and constant(node.inputs[1]) is not None else None
        if start is None or start in seen or start.is_graph_input():
            continue
        group = _group(start)
        seen.add(start)
        if group is not None:
            seen.update(group.values)
            groups.append(group)
    return groups


def _group(start: ir.Value) -> _ChannelGroup | None:
    """Everything that is tied to a value, or None if something in it cannot be scaled."""
    group, todo = _ChannelGroup(), [start]
    channels = hub.static_shape(start)[1]
    while todo:
        value = todo.pop()
        if value in group.values:
            continue
        shape = hub.static_shape(value)
        producer = value.producer()
        if producer is None or value.is_graph_output() or len(shape) != 4 or shape[1] != channels:
            return None
        group.values.append(value)
        if producer.op_type in _TRANSPARENT:
            if any(v is None or constant(v) is not None for v in producer.inputs):
                return None
            todo.extend(v for v in producer.inputs if v is not None)
        elif _can_divide(producer):
            group.producers.append(producer)
        else:
            return None
        for reader, index in value.uses():
            if reader.op_type in _TRANSPARENT:
                todo.extend(reader.outputs)
            elif reader.op_type in _CONSUMERS and index == 0 and _can_multiply(reader):
                group.consumers.append(reader)
            else:
                return None
    return group


def _can_divide(node: ir.Node) -> bool:
    parts = [constant(v) for v in node.inputs[1:] if v is not None]
    return node.op_type in _PRODUCERS and all(part is not None for part in parts) and _one_group(node)


def _can_multiply(node: ir.Node) -> bool:
    return constant(node.inputs[1]) is not None and _one_group(node)


def _one_group(node: ir.Node) -> bool:
    return hub.integer(node, "group", 1) == 1


def _divide(model: ir.Model, node: ir.Node, factor: NDArray[np.float64]) -> None:
    """Make a node give each channel divided by its factor."""
    for index in range(1, len(node.inputs)):
        array = constant(node.inputs[index])
        if array is not None:
            axis = 1 if node.op_type == "ConvTranspose" and index == 1 else 0
            _set_input(model, node, index, _scaled(array, 1 / factor, axis))


def _multiply(model: ir.Model, node: ir.Node, factor: NDArray[np.float64]) -> None:
    """Make a node expect each input channel divided by its factor."""
    array = constant(node.inputs[1])
    assert array is not None
    _set_input(model, node, 1, _scaled(array, factor, 0 if node.op_type == "ConvTranspose" else 1))


def shift_bias(model: ir.Model, node: ir.Node, shift: NDArray[np.float64]) -> None:
    """Add a number to each of a convolution's channels, in place."""
    bias_before = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    bias = shift if bias_before is None else bias_before.astype(np.float64) + shift
    value = hub.add_constant(model, f"{node.outputs[0].name}_bias", bias.astype(np.float32))
    if len(node.inputs) < 3:
        node.resize_inputs(3)
    node.replace_input_with(2, value)


def _scaled(array: NDArray[np.generic], factor: NDArray[np.float64], axis: int) -> NDArray[np.float32]:
    shape = [1] * array.ndim
    shape[axis] = -1
    return (array.astype(np.float64) * factor.reshape(shape)).astype(np.float32)


def _set_input(model: ir.Model, node: ir.Node, index: int, array: NDArray[np.float32]) -> None:
    old = node.inputs[index]
    assert old is not None
    if only_consumer(old) is not None and old.is_initializer():
        old.const_value = ir.tensor(array, name=old.name)
    else:
        node.replace_input_with(index, hub.add_constant(model, f"{old.name}_even", array))


def equalize_conv_outputs(model: ir.Model, statistics: Mapping[str, ActivationStatistics], names: Sequence[str]) -> int:
    """Give every channel of a convolution in front of an instance norm the same range, for kernels that round outputs.

    The norm takes a channel's mean out again, so its range is moved to lie around 0; and any factor, but for its
    epsilon; factors are 1 at least, so that it counts less than before, and what it did count on average goes into the
    norm's scale. Deviations of 0.1 of 255 were never reached.

    Returns:
        How many convolutions were changed.
    """
    changed = 0
    for node in model.graph:
        norm = only_consumer(node.outputs[0])
        if node.op_type not in _CONSUMERS or str(node.outputs[0].name) not in names or norm is None:
            continue
        if norm.op_type != "InstanceNormalization" or not (_can_divide(node) and _can_divide(norm)):
            continue
        of_output = statistics[str(node.outputs[0].name)]
        spread = np.maximum(of_output.high - of_output.low, 1e-12)
        factor = np.clip(spread / spread.max(), 1 / MAX_FACTOR, None)  # ≤ 1, so dividing makes channels louder
        epsilon = hub.number(norm, "epsilon", 1e-5)
        felt = np.sqrt((of_output.variance + epsilon * factor**2) / (of_output.variance + epsilon))
        _divide(model, node, factor)
        shift_bias(model, node, -(of_output.high + of_output.low) / (2 * factor))
        scale = constant(norm.inputs[1])
        assert scale is not None
        _set_input(model, norm, 1, _scaled(scale, felt, 0))
        changed += 1
    return changed
