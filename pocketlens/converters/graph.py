"""The graph: one ONNX model of fixed size, pixels in and pixels out, that every emitter reads.

The contract (:func:`check`): one input ``image`` and one output ``stylized``, both ``float32 [1, 3, height, width]``,
RGB, 0..255, the output clamped and as large as the input or a whole number of times larger or smaller; every shape
static; weights are initializers; nodes are named and in order. The graph of a style pack has a second input, ``style``,
``float32 [1, styles]``: how much of each is wanted. Others may have ``second``, ``float32 [1, 1 or 3, height, width]``,
0..255; inputs ``state_0`` and so on, with an output ``next_0`` of the same shape each; and an output ``alpha``,
``float32 [1, 1, height, width]``, 0..255.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.errors import InputError, SizeError
from pocketlens.files import whole
from pocketlens.images import Picture, size_factor
from pocketlens.runtimes import ports
from pocketlens.runtimes.stand_in import stand_in

INPUT = "image"
STYLE = ports.STYLE
OUTPUT = "stylized"
OPSET = 20
"""The ONNX operator set of every graph: the newest that onnxruntime, OpenVINO and onnxscript's converter share."""
WEIGHTED_OPERATORS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operators whose second input is weights, where it is constant."""


def load(path: Path) -> ir.Model:
    """Read a graph that :func:`save` wrote."""
    return ir.load(path)


def save(model: ir.Model, path: Path) -> None:
    """Write a graph whole, or not at all; the same graph gives the same bytes."""
    with whole(path) as part:
        ir.save(model, part)


def free_name(name: str, taken: set[str]) -> str:
    """The name, or where it is taken the first free one with a number behind; it is taken from now on.

    Example:
        >>> taken = set()
        >>> free_name("y", taken), free_name("y", taken)
        ('y', 'y_1')
    """
    free, count = name, 0
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free


def size(model: ir.Model) -> tuple[int, int]:
    """Height and width in pixels."""
    shape = static_shape(model.graph.inputs[0])
    return shape[2], shape[3]


def output_size(model: ir.Model) -> tuple[int, int]:
    """Height and width of the picture that comes out, in pixels."""
    shape = static_shape(model.graph.outputs[0])
    return shape[2], shape[3]


def styles(model: ir.Model) -> int:
    """How many styles a pack has; 0 where there is one."""
    return next((static_shape(value)[1] for value in model.graph.inputs if value.name == STYLE), 0)


def is_of_picture(model: ir.Model) -> Callable[[ir.Node], bool]:
    """Tells the nodes that read the picture, or what was computed from it, from those that read the style alone."""
    if not styles(model):
        return lambda node: True
    reached = {model.graph.inputs[0]}
    for node in model.graph:
        if any(value in reached for value in node.inputs):
            reached.update(node.outputs)
    return lambda node: node.outputs[0] in reached


Feed = dict[str, NDArray[np.float32]]
"""The inputs of a graph, by name."""


def states(model: ir.Model) -> list[ir.Value]:
    """The inputs that get an output of the frame before."""
    return [value for value in model.graph.inputs if str(value.name).startswith(ports.STATE)]


def has_extras(model: ir.Model) -> bool:
    """Whether more goes in or comes out than a picture, and of a pack its style."""
    return len(model.graph.outputs) > 1 or any(v.name not in (INPUT, STYLE) for v in model.graph.inputs)


def feed(model: ir.Model, picture: Picture, style: Sequence[float] = ()) -> Feed:
    """The inputs of a graph by name for a picture ``uint8 [height, width, 3]``, of a pack in a style: the stand-in for
    a second picture, and states of zeros.
    """
    arrays = {INPUT: np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)}
    if len(style):
        arrays[STYLE] = np.array([list(style)], np.float32)
    for value in model.graph.inputs:
        if value.name == ports.SECOND:
            second = stand_in(picture, static_shape(value)[1])
            arrays[ports.SECOND] = np.ascontiguousarray(second.transpose(2, 0, 1)[None], np.float32)
    return arrays | {str(value.name): np.zeros(static_shape(value), np.float32) for value in states(model)}


def static_shape(value: ir.Value) -> tuple[int, ...]:
    """The shape of a value whose every dimension is known.

    Raises:
        InputError: A dimension is unknown; the message names the value and the node that makes it.
    """
    if value.shape is None or not _is_static(value):
        node = value.producer()
        producer = f" (made by {node.op_type} {node.name!r})" if node else ""
        known = node is not None and all(v is None or _is_static(v) for v in node.inputs)
        if node is not None and known and value.shape is None and len(_shapes(node)) > 1:
            shapes = " and ".join(str(shape) for shape in _shapes(node))
            raise SizeError(f"{shapes} do not fit together in {node.op_type} {node.name!r}", do="choose another size")
        raise SizeError(
            f"the shape of {value.name!r}{producer} is not fixed: {value.shape}",
            do=f"replace {node.op_type} in the model: its shape does not follow from what it reads"
            if node is not None and known
            else "export with a fixed size",
        )
    return tuple(int(d) for d in value.shape)  # type: ignore[arg-type]


def _shapes(node: ir.Node) -> list[list[int]]:
    """The shapes of what a node computes from; constants are left out."""
    values = [v for v in node.inputs if v is not None and v.shape is not None and v.const_value is None]
    return [[int(d) for d in v.shape or () if isinstance(d, int)] for v in values]


def _is_static(value: ir.Value) -> bool:
    return value.shape is not None and all(isinstance(d, int) for d in value.shape)


def initializer(value: ir.Value | None) -> NDArray[np.generic] | None:
    """The value's array if the graph stores it as it is, else None; see
    :func:`pocketlens.converters.constants.constant`.
    """
    if value is None or value.const_value is None:
        return None
    return np.asarray(value.const_value.numpy())


def ints(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """An attribute that is a list of integers, or its default."""
    attribute = node.attributes.get(name)
    return tuple(attribute.as_ints()) if attribute is not None else default


def integer(node: ir.Node, name: str, default: int) -> int:
    """An attribute that is an integer, or its default."""
    attribute = node.attributes.get(name)
    return attribute.as_int() if attribute is not None else default


def number(node: ir.Node, name: str, default: float) -> float:
    """An attribute that is a float, or its default."""
    attribute = node.attributes.get(name)
    return attribute.as_float() if attribute is not None else default


def text(node: ir.Node, name: str, default: str) -> str:
    """An attribute that is a string, or its default."""
    attribute = node.attributes.get(name)
    return attribute.as_string() if attribute is not None else default


def reduced_axes(node: ir.Node) -> tuple[int, ...] | None:
    """The axes that a Reduce* node or a global pool takes together, counted from 0, in order.

    They are an input since opset 18 and were an attribute before. Empty: the node was told to reduce nothing
    (``noop_with_empty_axes``). None: they are computed, or the rank of what it reads is not known.
    """
    source = node.inputs[0]
    rank = len(source.shape) if source is not None and source.shape is not None else None
    axes_input = node.inputs[1] if len(node.inputs) > 1 else None
    axes_array = initializer(axes_input)
    if rank is None or (axes_input is not None and axes_array is None):
        return None
    if node.op_type.startswith("Global"):
        return tuple(range(2, rank))
    axes = ints(node, "axes", ()) if axes_array is None else tuple(int(axis) for axis in axes_array.reshape(-1))
    if axes or integer(node, "noop_with_empty_axes", 0):
        return tuple(sorted({axis % rank for axis in axes}))
    return tuple(range(rank))


def pads(node: ir.Node) -> list[tuple[int, int]] | None:
    """The padding of a Pad before and after each axis of its input; None if it is computed, or the rank not known."""
    source, named = node.inputs[0], node.inputs[3] if len(node.inputs) > 3 else None
    amounts, axes = initializer(node.inputs[1]), initializer(named)
    if source is None or source.shape is None or amounts is None or (named is not None and axes is None):
        return None
    rank, flat = len(source.shape), [int(amount) for amount in amounts.reshape(-1)]
    chosen = range(rank) if axes is None else [int(axis) % rank for axis in axes.reshape(-1)]
    by_axis = dict(zip(chosen, zip(flat[: len(flat) // 2], flat[len(flat) // 2 :], strict=True), strict=True))
    return [by_axis.get(axis, (0, 0)) for axis in range(rank)]


def output_axis(node: ir.Node) -> int:
    """The axis of a node's weights that counts its output channels."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        return 0 if integer(node, "transB", 0) else 1
    weight = node.inputs[1]
    assert weight is not None
    return 1 if node.op_type == "ConvTranspose" else len(static_shape(weight)) - 1


def add_constant(model: ir.Model, name: str, array: NDArray[np.generic]) -> ir.Value:
    """Register an array as an initializer under a name that is still free, and return its value."""
    unused_name, count = name, 0
    while unused_name in model.graph.initializers:
        count += 1
        unused_name = f"{name}_{count}"
    value = ir.Value(name=unused_name, const_value=ir.Tensor(array, name=unused_name), shape=ir.Shape(array.shape))
    value.dtype = ir.DataType.from_numpy(array.dtype)
    model.graph.register_initializer(value)
    return value


def macs(model: ir.Model) -> int:
    """Multiply-adds of one picture, counted over convolutions, transposed convolutions and matrix products."""
    return sum(node_macs(node) for node in model.graph)


def node_macs(node: ir.Node) -> int:
    """Multiply-adds of one node; 0 for everything but convolutions and matrix products."""
    if node.op_type in ("Conv", "ConvTranspose"):
        weight = node.inputs[1]
        assert weight is not None
        # A convolution multiplies each kernel once an output position, a transposed one once an input position.
        swept = node.outputs[0] if node.op_type == "Conv" else node.inputs[0]
        assert swept is not None
        return math.prod(static_shape(weight)) * math.prod(static_shape(swept)[2:])
    if node.op_type in ("MatMul", "Gemm"):
        first = node.inputs[0]
        assert first is not None
        depth = static_shape(first)[-2 if node.op_type == "Gemm" and integer(node, "transA", 0) else -1]
        return math.prod(static_shape(node.outputs[0])) * depth
    return 0


def parameters(model: ir.Model) -> int:
    """The number of floating-point weights."""
    tensors = (v.const_value for v in model.graph.initializers.values())
    return sum(t.size for t in tensors if t is not None and t.dtype.is_floating_point())


def check(model: ir.Model) -> None:
    """Check the contract of this module.

    Raises:
        InputError: Something does not hold: which value or node, and what was found.
    """
    graph = model.graph
    for node in graph:  # in order, so that the node is named which hides the shapes of those behind it
        for value in node.outputs:
            static_shape(value)
    for kind, values, name in (("input", graph.inputs, INPUT), ("output", graph.outputs, OUTPUT)):
        found = [str(v.name) for v in values]
        known = (STYLE, ports.SECOND, ports.STATE) if kind == "input" else (ports.ALPHA, ports.NEXT)
        if found[0] != name or not all(other.rstrip("0123456789") in known for other in found[1:]):
            raise InputError(f"the graph's {kind}s are {found}, expected ['{name}']", do="import it through pocketlens")
        shape = static_shape(values[0])
        if len(shape) != 4 or shape[:2] != (1, 3) or values[0].dtype != ir.DataType.FLOAT:
            raise InputError(
                f"the {kind} {name!r} is {values[0].dtype} {list(shape)}, expected float32 [1, 3, height, width]",
                do="a generator takes one RGB picture and gives one RGB picture; repeat a grey one three times",
            )
    if size_factor(size(model), output_size(model)) is None:
        raise SizeError(
            f"the picture goes in as {list(static_shape(graph.inputs[0]))} and leaves as "
            f"{list(static_shape(graph.outputs[0]))}",
            do="choose a size that the generator keeps, for instance a multiple of 32",
        )
    pairs = zip(states(model), list(graph.outputs)[-len(states(model)) :], strict=False)
    for state, given_back in pairs:
        if static_shape(state) != static_shape(given_back):
            raise InputError(f"{state.name!r} and {given_back.name!r} differ in shape", do="check --state")
    if styles(model):
        given = static_shape(graph.inputs[1])
        if len(given) != 2 or given[0] != 1 or given[1] < 2 or graph.inputs[1].dtype != ir.DataType.FLOAT:
            raise InputError(
                f"the input '{STYLE}' is {graph.inputs[1].dtype} {list(given)}, expected float32 [1, styles]",
                do="a pack takes one weight for each of its styles",
            )
    for node in graph:
        for value in (v for v in node.inputs if v is not None):
            array = initializer(value)
            if array is not None and array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InputError(
                    f"the weights {value.name!r} of {node.op_type} {node.name!r} hold NaN or infinity",
                    do="check the checkpoint",
                )
