"""Bias correction: rounded weights shift a convolution's mean, and its bias can take the shift back (Nagel et al.
2019).

In front of an instance norm there is nothing to do: the norm takes every mean out.
"""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.quantization import plan as plans
from pocketlens.converters.quantization.calibrate import ActivationStatistics
from pocketlens.converters.quantization.equalize import shift_bias
from pocketlens.converters.quantization.plan import Plan
from pocketlens.converters.quantization.qparams import choose_qparams_absmax, quantize_affine
from pocketlens.converters.rewrites.edit import only_consumer
from pocketlens.targets import QuantizerPlacement


def correct_biases(
    model: ir.Model, plan: Plan, statistics: Mapping[str, ActivationStatistics], placement: QuantizerPlacement
) -> int:
    """Correct the biases of convolutions that are about to be quantized. In place; returns how many there were.

    Padding counts as if it were the mean, which is wrong at the edges alone.
    """
    corrected = 0
    for node, setting in plans.quantized_nodes(model, plan):
        norm = only_consumer(node.outputs[0])
        if node.op_type != "Conv" or hub.integer(node, "group", 1) != 1:
            continue
        if norm is not None and norm.op_type == "InstanceNormalization":
            continue
        array, source = constant(node.inputs[1]), node.inputs[0]
        assert array is not None and source is not None
        weight = array.astype(np.float32)
        axis = hub.output_axis(node)
        scale = choose_qparams_absmax(weight, axis, placement.pair_sums and setting == "int8")
        error = quantize_affine(weight, scale, axis) * scale.reshape(-1, 1, 1, 1) - weight
        shift = error.astype(np.float64).sum((2, 3)) @ statistics[str(source.name)].mean
        shift_bias(model, node, -shift)
        corrected += 1
    return corrected
