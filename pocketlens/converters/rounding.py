"""What a rounding does to a graph: an ill-conditioned one turns the last bit of a value into a step that is seen, and
no file of it can be nearer to its teacher than that (docs/decisions/0022).

A graph is played twice, once as it is and once with every value moved by at most one rounding, at random. How far the
two pictures are apart is what rounding alone does; a wrong kernel does far more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from pocketlens import quality
from pocketlens.converters import graph as hub
from pocketlens.converters.long_norms import decompose_long_norms
from pocketlens.images import Picture
from pocketlens.precisions import PRECISIONS, Floors

STEP_SHARE = 0.1
"""Of a quantization step: how far values are moved before they are rounded to integers. Kernels of integers differ from
the graph by less than that before they round, and by a whole step for what lies that near to a boundary."""
_STEPS = PRECISIONS["int8"].floors
LEAST_QUANTIZED = _STEPS.file - _STEPS.slack
"""Least dB of a file of floats whose graph rounds values of its own to integers: that of an ``int8`` file."""


@dataclass(frozen=True)
class Response:
    """How near a graph comes to itself when every value is moved by a rounding.

    Attributes:
        psnr: In dB.
        block_means: The same of means over blocks of pixels.
    """

    psnr: float
    block_means: float


def lowered(floors: Floors, response: Response) -> Floors:
    """The floors of a file of a graph: never above what rounding does to the graph, less a
    margin.

    Example:
        >>> floors = Floors(100, rounding=2**-23, margin=18, slack=40)
        >>> [lowered(floors, Response(psnr, psnr)).file for psnr in (132.0, 110.0, 65.0)]
        [100, 92.0, 60]
    """

    def bound(floor: float, reached: float) -> float:
        return max(floor - floors.slack, min(floor, reached - floors.margin))

    means = bound(floors.block_means, response.block_means)
    return replace(floors, file=bound(floors.file, response.psnr), block_means=means)


def floors_of(model: ir.Model, floors: Floors) -> Floors:
    """The floors of a file of a graph, which are other ones where a file of floats is of a graph that another tool has
    quantized: its steps flip as those of ``int8`` do, so the same is allowed: what flipped steps do to the graph, less
    the margin of ``int8``, and never less than an ``int8`` file must reach.
    """
    if not floors.rounding or not any(node.op_type == "QuantizeLinear" for node in model.graph):
        return floors
    return replace(floors, rounding=0.0, margin=_STEPS.margin, slack=max(floors.file - LEAST_QUANTIZED, 0.0))


def respond(model: ir.Model, floors: Floors, picture: Picture, style: Sequence[float] = ()) -> Response:
    """Play a graph as it is and with every value moved by a rounding.

    Args:
        model: The graph; it is not changed.
        floors: Say how much a rounding is.
        picture: ``uint8 [height, width, 3]`` of its size.
        style: Of a pack, how much of each style.
    """
    from pocketlens.converters.quantization.simulate import load_feeder, load_session, picture_of

    model = decompose_long_norms(model)
    moved = move_floats(model, floors.rounding) if floors.rounding else move_integers(model, STEP_SHARE)
    feed = load_feeder(model)(picture, style)
    pair = [np.clip(picture_of(model, load_session(graph).run(None, feed)), 0, 255) for graph in (model, moved)]
    return Response(quality.psnr(*pair), quality.psnr(*map(quality.block_means, pair)))


def move_floats(model: ir.Model, rounding: float) -> ir.Model:
    """A copy of a graph in which every value between two nodes is multiplied by ``1 ± rounding``, at random."""
    model = model.clone()
    for node in tuple(model.graph):
        for value in node.outputs:
            if value.dtype in (ir.DataType.FLOAT, None) and value.uses() and not node.op_type.startswith("Constant"):
                noise = _noise(model, value, 1.0)
                share = _node(model, "Mul", [noise, _scalar(model, rounding)])
                factor = _node(model, "Add", [share, _scalar(model, 1.0)])
                readers = [(reader, index) for reader, index in value.uses() if reader is not noise.producer()]
                moved = _node(model, "Mul", [value, factor])
                for reader, index in readers:
                    reader.replace_input_with(index, moved)
    model.graph.sort()
    return model


def move_integers(model: ir.Model, share: float) -> ir.Model:
    """A copy of a quantized graph in which values are moved by up to a share of a step before they are rounded."""
    model = model.clone()
    for node in tuple(model.graph):
        value = node.inputs[0] if node.inputs else None
        if node.op_type not in ("QuantizeLinear", "DynamicQuantizeLinear") or value is None or value.is_initializer():
            continue
        if node.op_type == "QuantizeLinear":
            step = node.inputs[1]
        else:
            found = ir.node("DynamicQuantizeLinear", [value], num_outputs=3)
            for index, output in enumerate(found.outputs):
                output.name = f"moved_{len(model.graph)}_{index}"
            model.graph.append(found)
            step = found.outputs[1]
        moved = _node(model, "Add", [value, _node(model, "Mul", [_noise(model, value, share), step])])
        node.replace_input_with(0, moved)
    model.graph.sort()
    return model


def _noise(model: ir.Model, like: ir.Value, most: float) -> ir.Value:
    """Random numbers of a value's shape, the same each time; made while the graph runs, so that they take no room."""
    attributes = {"low": -most, "high": most, "seed": float(len(model.graph)), "dtype": int(ir.DataType.FLOAT)}
    return _node(model, "RandomUniformLike", [like], attributes)


def _scalar(model: ir.Model, value: float) -> ir.Value:
    return hub.add_constant(model, f"moved_by_{value:g}", np.array(value, np.float32))


def _node(
    model: ir.Model,
    operator: str,
    inputs: Sequence[ir.Value | None],
    attributes: Mapping[str, float | int] | None = None,
) -> ir.Value:
    node = ir.node(operator, inputs, attributes or {})
    node.outputs[0].name = f"moved_{len(model.graph)}"
    node.outputs[0].dtype = ir.DataType.FLOAT
    model.graph.append(node)
    return node.outputs[0]
