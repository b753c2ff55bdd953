"""Quantizing the weights of a graph alone; what is computed with them stays float."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import is_weighted_mean
from pocketlens.converters.quantization.plan import Plan, default_plan
from pocketlens.converters.quantized_weights import (
    LEVELS,
    AffineQuantizedWeights,
    LutWeights,
    QuantizedWeights,
    insert_dequantize,
)
from pocketlens.converters.weight_quantization.activation_statistics import Hessian, collect_hessians
from pocketlens.converters.weight_quantization.gptq import round_weights
from pocketlens.converters.weight_quantization.qparams import choose_lut, choose_qparams_mse
from pocketlens.images import Picture
from pocketlens.precisions import PRECISIONS

MIN_WEIGHTS = 256
"""Weights of fewer values stay float: they cost more accuracy than they save bytes."""


def quantize_weights(model: ir.Model, precision: str, pictures: Sequence[Picture] = ()) -> ir.Model:
    """A copy of the graph with its weights quantized; the graph itself for precisions that do not quantize the weights
    alone.

    Args:
        model: The graph.
        precision: A key of :data:`pocketlens.precisions.PRECISIONS`.
        pictures: ``uint8 [H, W, 3]`` of the graph's size, to see what each layer reads; they must not be those that
            judge. Without any, each weight is rounded to the nearest: 7 to 11 dB less.

    Raises:
        InputError: A value in the graph is not finite on a picture.

    Example:
        >>> from pocketlens.converters.quantized_weights import quantized_weights_of
        >>> from tests.generators import small_graph
        >>> quantized = quantize_weights(small_graph(), "w8")
        >>> convs = [node for node in quantized.graph if node.op_type == "ConvTranspose"]
        >>> [type(quantized_weights_of(node.inputs[1])).__name__ for node in convs]
        ['AffineQuantizedWeights']
    """
    if PRECISIONS[precision].quantizes != "weights":
        return model
    return apply_plan(model, choose_quantized_weights(model, default_plan(precision), pictures))


def choose_quantized_weights(
    model: ir.Model, plan: Plan, pictures: Sequence[Picture] = ()
) -> dict[str, QuantizedWeights]:
    """The quantized weights of a graph where a plan asks for them, by the name of the weights; see
    :func:`quantize_weights`.
    """
    hessians = collect_hessians(model, pictures) if pictures else {}
    quantized: dict[str, QuantizedWeights] = {}
    of_picture = hub.is_of_picture(model)
    for node in model.graph:
        value, setting = _weight(node), plan.setting(node)
        if value is None or value.name in quantized or setting == "float" or not of_picture(node):
            continue
        array = np.asarray(hub.initializer(value), np.float32)
        hessian = hessians.get(value.name or "")
        if setting.startswith("palette"):
            quantized[str(value.name)] = _lut(array, PRECISIONS[setting].bits, hessian)
        else:
            quantized[str(value.name)] = _affine(array, hub.output_axis(node), hessian)
    return quantized


def apply_plan(model: ir.Model, quantized: Mapping[str, QuantizedWeights], plan: Plan | None = None) -> ir.Model:
    """A copy of a graph with the weights of :func:`choose_quantized_weights` in it, but for those that a plan keeps in
    float.
    """
    model = model.clone()
    for node in tuple(model.graph):
        value = _weight(node)
        if value is not None and value.name in quantized and (plan is None or plan.setting(node) != "float"):
            insert_dequantize(model, value, quantized[str(value.name)])
    return model


def _weight(node: ir.Node) -> ir.Value | None:
    """The weights of a node if they are worth quantizing and a constant of one reader's shape."""
    if node.op_type not in hub.WEIGHTED_OPERATORS or len(node.inputs) < 2 or is_weighted_mean(node):
        return None
    value = node.inputs[1]
    array = hub.initializer(value)
    if array is None or array.dtype != np.float32 or array.size < MIN_WEIGHTS or array.ndim < 2:
        return None
    return value


def _affine(array: NDArray[np.float32], axis: int, hessian: Hessian | None) -> AffineQuantizedWeights:
    scales = choose_qparams_mse(array, axis)
    shape = [1] * array.ndim
    shape[axis] = -1
    by_channel = scales.reshape(shape)

    def nearest(weights: NDArray[np.float64], places: tuple[NDArray[np.intp], ...]) -> NDArray[np.float64]:
        steps = scales[places[axis]]
        return np.clip(np.rint(weights / steps), -LEVELS, LEVELS) * steps

    rounded = round_weights(array, nearest, hessian)
    return AffineQuantizedWeights(np.clip(np.rint(rounded / by_channel), -LEVELS, LEVELS).astype(np.int8), scales, axis)


def _lut(array: NDArray[np.float32], bits: int, hessian: Hessian | None) -> LutWeights:
    table = choose_lut(array, bits)
    middles = (table[1:] + table[:-1]) / 2

    def nearest(weights: NDArray[np.float64], places: tuple[NDArray[np.intp], ...]) -> NDArray[np.float64]:
        return table[np.searchsorted(middles, weights)].astype(np.float64)

    return LutWeights(table, np.searchsorted(middles, round_weights(array, nearest, hessian)).astype(np.uint8))
