"""Cross-layer equalization: every channel of a value gets the same range, and no pixel changes.

One range a value is what 8 bits suffer from: a quiet channel beside a loud one has a handful of levels left. A channel's
factor passes through Relu and sums, can be made by a norm's scale and shift or by a convolution's output, and is taken
back by the next convolution's input. (Nagel et al. 2019 do so between convolutions, Xiao et al. 2022 behind layer norms.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization.calibrate import Statistics
from pocketlens.converters.rewrites.edit import only_reader

LARGEST = 64.0
"""A channel's factor is within 1 / LARGEST and LARGEST: quiet channels are mostly noise."""
_PASS = ("Relu", "LeakyRelu", "Add", "Sub")
_MAKE = ("InstanceNormalization", "Conv", "ConvTranspose")
_TAKE = ("Conv", "ConvTranspose")


@dataclass
class _Group:
    """Values whose channels must be scaled alike, the nodes that make them and those that take the factor back."""

    values: list[ir.Value] = field(default_factory=list)
    makers: list[ir.Node] = field(default_factory=list)
    takers: list[ir.Node] = field(default_factory=list)


def taps(model: ir.Model) -> list[str]:
    """The values whose statistics :func:`equalize` needs."""
    return [str(value.name) for group in _groups(model) for value in group.values]


def equalize(model: ir.Model, statistics: Mapping[str, Statistics], strength: float = 1.0) -> int:
    """Even out the channels of every value that convolutions read. In place; the pixels are the same.

    Args:
        model: The graph.
        statistics: Of the values of :func:`taps`.
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
        factor = np.clip(loudest / typical, 1 / LARGEST, LARGEST) ** strength
        for node in group.makers:
            _divide(model, node, factor)
        for node in group.takers:
            _multiply(model, node, factor)
    return sum(len(group.values) for group in groups)


def _groups(model: ir.Model) -> list[_Group]:
    seen: set[ir.Value] = set()
    found = []
    for node in model.graph:
        start = node.inputs[0] if node.op_type in _TAKE and constant(node.inputs[1]) is not None else None
        if start is None or start in seen or start.is_graph_input():
            continue
        group = _group(start)
        seen.add(start)
        if group is not None:
            seen.update(group.values)
            found.append(group)
    return found


def _group(start: ir.Value) -> _Group | None:
    """Everything that is tied to a value, or None if something in it cannot be scaled."""
    group, todo = _Group(), [start]
    channels = hub.static_shape(start)[1]
    while todo:
        value = todo.pop()
        if value in group.values:
            continue
        shape = hub.static_shape(value)
        maker = value.producer()
        if maker is None or value.is_graph_output() or len(shape) != 4 or shape[1] != channels:
            return None
        group.values.append(value)
        if maker.op_type in _PASS:
            if any(v is None or constant(v) is not None for v in maker.inputs):
                return None
            todo.extend(v for v in maker.inputs if v is not None)
        elif _makes(maker):
            group.makers.append(maker)
        else:
            return None
        for reader, index in value.uses():
            if reader.op_type in _PASS:
                todo.extend(reader.outputs)
            elif reader.op_type in _TAKE and index == 0 and _takes(reader):
                group.takers.append(reader)
            else:
                return None
    return group


def _makes(node: ir.Node) -> bool:
    parts = [constant(v) for v in node.inputs[1:] if v is not None]
    return node.op_type in _MAKE and all(part is not None for part in parts) and _one_group(node)


def _takes(node: ir.Node) -> bool:
    return constant(node.inputs[1]) is not None and _one_group(node)


def _one_group(node: ir.Node) -> bool:
    return hub.integer(node, "group", 1) == 1


def _divide(model: ir.Model, node: ir.Node, factor: NDArray[np.float64]) -> None:
    """Make a node give each channel divided by its factor."""
    for index in range(1, len(node.inputs)):
        array = constant(node.inputs[index])
        if array is not None:
            axis = 1 if node.op_type == "ConvTranspose" and index == 1 else 0
            _put(model, node, index, _scaled(array, 1 / factor, axis))


def _multiply(model: ir.Model, node: ir.Node, factor: NDArray[np.float64]) -> None:
    """Make a node expect each input channel divided by its factor."""
    array = constant(node.inputs[1])
    assert array is not None
    _put(model, node, 1, _scaled(array, factor, 0 if node.op_type == "ConvTranspose" else 1))


def shift_bias(model: ir.Model, node: ir.Node, shift: NDArray[np.float64]) -> None:
    """Add a number to each of a convolution's channels, in place."""
    given = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    bias = shift if given is None else given.astype(np.float64) + shift
    value = hub.add_constant(model, f"{node.outputs[0].name}_bias", bias.astype(np.float32))
    if len(node.inputs) < 3:
        node.resize_inputs(3)
    node.replace_input_with(2, value)


def _scaled(array: NDArray[np.generic], factor: NDArray[np.float64], axis: int) -> NDArray[np.float32]:
    shape = [1] * array.ndim
    shape[axis] = -1
    return (array.astype(np.float64) * factor.reshape(shape)).astype(np.float32)


def _put(model: ir.Model, node: ir.Node, index: int, array: NDArray[np.float32]) -> None:
    old = node.inputs[index]
    assert old is not None
    if only_reader(old) is not None and old.is_initializer():
        old.const_value = ir.tensor(array, name=old.name)
    else:
        node.replace_input_with(index, hub.add_constant(model, f"{old.name}_even", array))


def even_outputs(model: ir.Model, statistics: Mapping[str, Statistics], names: Sequence[str]) -> int:
    """Give every channel of a convolution in front of an instance norm the same range, for kernels that round outputs.

    The norm takes a channel's mean out again, so its range is moved to lie around 0; and any factor, but for its epsilon;
    factors are 1 at least, so that it counts less than before, and what it did count on average goes into the norm's scale.
    Deviations of 0.1 of 255 were never reached.

    Returns:
        How many convolutions were changed.
    """
    changed = 0
    for node in model.graph:
        norm = only_reader(node.outputs[0])
        if node.op_type not in _TAKE or str(node.outputs[0].name) not in names or norm is None:
            continue
        if norm.op_type != "InstanceNormalization" or not (_makes(node) and _makes(norm)):
            continue
        found = statistics[str(node.outputs[0].name)]
        spread = np.maximum(found.high - found.low, 1e-12)
        factor = np.clip(spread / spread.max(), 1 / LARGEST, None)  # ≤ 1, so dividing makes channels louder
        epsilon = hub.number(norm, "epsilon", 1e-5)
        felt = np.sqrt((found.variance + epsilon * factor**2) / (found.variance + epsilon))
        _divide(model, node, factor)
        shift_bias(model, node, -(found.high + found.low) / (2 * factor))
        scale = constant(norm.inputs[1])
        assert scale is not None
        _put(model, norm, 1, _scaled(scale, felt, 0))
        changed += 1
    return changed
