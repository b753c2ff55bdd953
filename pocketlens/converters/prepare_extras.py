"""The inputs and outputs of a graph beside its picture: their names, shapes and ranges."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.extras import Extras
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.rewrites import edit
from pocketlens.errors import InputError
from pocketlens.runtimes import ports

_COLOURS = 3


def pin_extras(model: ir.Model, extras: Extras) -> None:
    """Give the second picture and the states their names and shapes, in place."""
    inputs = list(model.graph.inputs)[1:] if extras.inputs else []
    if extras.second is not None:
        second = inputs.pop(0)
        second.name, second.shape = ports.SECOND, ir.Shape(extras.second)
        if len(extras.second) == 4 and extras.second[1] not in (1, _COLOURS):
            _from_planar(model, second)
    for index, (value, shape) in enumerate(zip(inputs, extras.states, strict=True)):
        value.name, value.shape = f"{ports.STATE}{index}", ir.Shape(shape)


def _from_planar(model: ir.Model, second: ir.Value) -> None:
    """Let a second picture whose channels are last go in channels first, as everywhere in the graph."""
    assert second.shape is not None
    batch, height, width, channels = second.shape
    turned = ir.node("Transpose", [second], {"perm": [0, 2, 3, 1]}, outputs=[ir.Value(name="second_last")])
    turned.outputs[0].shape, turned.outputs[0].type = second.shape, second.type
    for node, index in tuple(second.uses()):
        if node is not turned:
            node.replace_input_with(index, turned.outputs[0])
    second.shape = ir.Shape([batch, channels, height, width])
    model.graph.insert_before(model.graph[0], turned)


def fold_extras(model: ir.Model, extras: Extras, ranges: Ranges) -> None:
    """Scale the second picture to what the model takes and the alpha to pixels, and name what comes out, in place.

    Raises:
        InputError: An output has another shape than its input, or the alpha is no matte.
    """
    if extras.second is not None:
        _fold_second(model, ranges)
    outputs = list(model.graph.outputs)[1:]
    if extras.alpha:
        _fold_alpha(model, outputs.pop(0))
    for index, (value, shape) in enumerate(zip(outputs, extras.states, strict=True)):
        if (found := edit.shape_of(value)) != shape:
            raise InputError(
                f"the state {value.name!r} comes out as {list(found or ())} and goes in as {list(shape)}",
                do="check --state, or choose a size that the generator keeps",
            )
        kept = ir.node("Identity", [value], outputs=[ir.Value(name=f"{ports.NEXT}{index}")])
        kept.outputs[0].shape, kept.outputs[0].type = value.shape, value.type
        model.graph.append(kept)
        model.graph.outputs[list(model.graph.outputs).index(value)] = kept.outputs[0]
    model.graph.sort()


def _fold_second(model: ir.Model, ranges: Ranges) -> None:
    second = model.graph.inputs[1]
    channels = hub.static_shape(second)[1]
    if channels not in (1, _COLOURS):
        raise InputError(f"the second picture has {channels} channels, expected 1 or 3", do="fix it: --constant")
    low, high = ranges.input if channels == _COLOURS else (0.0, 1.0)
    readers = tuple(second.uses())
    scaled = edit.affine(model, second, (high - low) / 255.0, low, "second_in")
    for node, index in readers:
        node.replace_input_with(index, scaled)


def _fold_alpha(model: ir.Model, alpha: ir.Value) -> None:
    shape, (height, width) = edit.shape_of(alpha), hub.output_size(model)
    if shape is None or shape not in {(1, height, width), (1, 1, height, width), (1, height, width, 1)}:
        raise InputError(
            f"the alpha {alpha.name!r} is {list(shape or ())}, expected [1, 1, {height}, {width}]",
            do="name an output of one channel, of the picture's size: --alpha NAME",
        )
    place = list(model.graph.outputs).index(alpha)
    size = hub.add_constant(model, "alpha_shape", np.array([1, 1, height, width], np.int64))
    planar = ir.node("Reshape", [alpha, size], outputs=[ir.Value(name="alpha_planar")])
    planar.outputs[0].shape, planar.outputs[0].type = ir.Shape((1, 1, height, width)), alpha.type
    model.graph.append(planar)
    pixels = edit.affine(model, planar.outputs[0], 255.0, 0.0, "alpha_out")
    ends = [hub.add_constant(model, f"alpha_{end}", np.array(end, np.float32)) for end in (0.0, 255.0)]
    clip = ir.node("Clip", [pixels, *ends], name="alpha_clamp", outputs=[ir.Value(name=ports.ALPHA)])
    clip.outputs[0].dtype = ir.DataType.FLOAT
    model.graph.append(clip)
    model.graph.outputs[place] = clip.outputs[0]
