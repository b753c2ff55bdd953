"""Weights in fewer bits, decided once, on the graph, and written by every emitter in its target's own way.

:mod:`forms <pocketlens.converters.coding.forms>` says how the graph holds them, :mod:`palette
<pocketlens.converters.coding.palette>` chooses tables, :mod:`moments <pocketlens.converters.coding.moments>` looks at what
each layer reads, and :mod:`rounding <pocketlens.converters.coding.rounding>` rounds weights so that what they do changes
least.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.coding.forms import (
    LEVELS,
    Affine,
    Coding,
    Palette,
    coding_of,
    put,
    scales_of,
    table_of,
)
from pocketlens.converters.coding.moments import READERS, Evidence, evidence
from pocketlens.converters.coding.rounding import round_weights
from pocketlens.converters.quantization.plan import Plan, default
from pocketlens.images import Picture
from pocketlens.precisions import PRECISIONS

__all__ = ["Affine", "Coding", "Palette", "code", "coding_of", "codings", "output_axis", "put", "written"]

SMALLEST = 256
"""Weights of fewer values stay float: they cost more accuracy than they save bytes."""


def code(model: ir.Model, precision: str, pictures: Sequence[Picture] = ()) -> ir.Model:
    """A copy of the graph with its weights coded; the graph itself for precisions that do not code the weights alone.

    Args:
        model: The graph.
        precision: A key of :data:`pocketlens.precisions.PRECISIONS`.
        pictures: ``uint8 [H, W, 3]`` of the graph's size, to see what each layer reads; they must not be those that judge.
            Without any, each weight is rounded to the nearest: 7 to 11 dB less.

    Raises:
        InputError: A value in the graph is not finite on a picture.

    Example:
        >>> from tests.generators import small_graph
        >>> coded = code(small_graph(), "w8")
        >>> [type(coding_of(node.inputs[1])).__name__ for node in coded.graph if node.op_type == "ConvTranspose"]
        ['Affine']
    """
    if PRECISIONS[precision].quantizes != "weights":
        return model
    return written(model, codings(model, default(precision), pictures))


def codings(model: ir.Model, plan: Plan, pictures: Sequence[Picture] = ()) -> dict[str, Coding]:
    """How the weights of a graph are coded where a plan says so: name of the weights → coding; see :func:`code`."""
    seen = evidence(model, pictures) if pictures else {}
    made: dict[str, Coding] = {}
    for node in model.graph:
        value, setting = _weight(node), plan.setting(node)
        if value is None or value.name in made or setting == "float":
            continue
        array = np.asarray(hub.constant(value), np.float32)
        found = seen.get(value.name or "")
        if setting.startswith("palette"):
            made[str(value.name)] = _palette(array, PRECISIONS[setting].bits, found)
        else:
            made[str(value.name)] = _affine(array, output_axis(node), found)
    return made


def written(model: ir.Model, made: Mapping[str, Coding], plan: Plan | None = None) -> ir.Model:
    """A copy of a graph whose weights are coded as :func:`codings` found, but for those that a plan keeps in float."""
    model = model.clone()
    for node in tuple(model.graph):
        value = _weight(node)
        if value is not None and value.name in made and (plan is None or plan.setting(node) != "float"):
            put(model, value, made[str(value.name)])
    return model


def output_axis(node: ir.Node) -> int:
    """The axis of a node's weights that counts its output channels."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        return 0 if hub.integer(node, "transB", 0) else 1
    weight = node.inputs[1]
    assert weight is not None
    return 1 if node.op_type == "ConvTranspose" else len(hub.static_shape(weight)) - 1


def _weight(node: ir.Node) -> ir.Value | None:
    """The weights of a node if they are worth coding and a constant of one reader's shape."""
    if node.op_type not in READERS or len(node.inputs) < 2:
        return None
    value = node.inputs[1]
    array = hub.plain(value)
    if array is None or array.dtype != np.float32 or array.size < SMALLEST or array.ndim < 2:
        return None
    return value


def _affine(array: NDArray[np.float32], axis: int, seen: Evidence | None) -> Affine:
    scales = scales_of(array, axis)
    shape = [1] * array.ndim
    shape[axis] = -1
    spread = scales.reshape(shape)

    def nearest(weights: NDArray[np.float64], places: tuple[NDArray[np.intp], ...]) -> NDArray[np.float64]:
        steps = scales[places[axis]]
        return np.clip(np.rint(weights / steps), -LEVELS, LEVELS) * steps

    rounded = round_weights(array, nearest, seen)
    return Affine(np.clip(np.rint(rounded / spread), -LEVELS, LEVELS).astype(np.int8), scales, axis)


def _palette(array: NDArray[np.float32], bits: int, seen: Evidence | None) -> Palette:
    table = table_of(array, bits)
    middles = (table[1:] + table[:-1]) / 2

    def nearest(weights: NDArray[np.float64], places: tuple[NDArray[np.intp], ...]) -> NDArray[np.float64]:
        return table[np.searchsorted(middles, weights)].astype(np.float64)

    return Palette(table, np.searchsorted(middles, round_weights(array, nearest, seen)).astype(np.uint8))
