"""From a float graph to a quantized one: equalize, rewrite, calibrate, correct biases, insert quantizers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from pocketlens.converters.quantization import equalize, everywhere, insert
from pocketlens.converters.quantization.bias_correct import correct_biases
from pocketlens.converters.quantization.calibrate import ActivationStatistics
from pocketlens.converters.quantization.integer_weights import quantize_weights_of_rounded
from pocketlens.converters.quantization.plan import Plan, is_quantized, quantized_nodes
from pocketlens.converters.quantization.recorded import calibrate_once
from pocketlens.images import Picture
from pocketlens.targets import QuantizerPlacement


def quantize(
    model: ir.Model,
    plan: Plan,
    pictures: Sequence[Picture],
    placement: QuantizerPlacement,
    rewrite: Callable[[ir.Model], object] = lambda model: None,
) -> ir.Model:
    """A quantized copy of a graph, with quantizers where a target wants them.

    Args:
        model: The graph before any rewrite: channels are equalized where norms and convolutions still stand side by
            side. One that is quantized already, by training or another tool, keeps the scales of its values; its
            weights become integers.
        plan: What is quantized, and how.
        pictures: To calibrate with, ``uint8 [height, width, 3]`` of the graph's size.
        placement: Where the kernels of the target's runtime want values rounded.
        rewrite: Applied in place before the quantizers are set.

    Raises:
        InputError: A value is not finite or constant on all pictures; the message names the node.
    """
    if is_quantized(model):
        taken = model.clone()
        quantize_weights_of_rounded(taken, placement)
        return taken
    return calibrate_graph(model, plan, pictures, placement, rewrite).apply_plan(plan)


@dataclass(frozen=True, eq=False)
class CalibratedGraph:
    """A graph that is ready for quantizers: equalized, rewritten, and with the ranges of its values.

    Attributes:
        model: The graph, still of floats.
        statistics: Of every value that the plan may round.
        placement: Where the kernels of the target's runtime want values rounded.
    """

    model: ir.Model
    statistics: Mapping[str, ActivationStatistics]
    placement: QuantizerPlacement

    def apply_plan(self, plan: Plan) -> ir.Model:
        """A copy with a plan written into it, which quantizes no node that the plan of the calibration left out."""
        model = self.model.clone()
        if plan.correct_bias:
            correct_biases(model, plan, self.statistics, self.placement)
        if self.placement.everywhere:
            everywhere.quantize_everywhere(model, plan, self.statistics)
        else:
            insert.insert_quantizers(model, plan, self.statistics, self.placement)
        return model


def calibrate_graph(
    model: ir.Model,
    plan: Plan,
    pictures: Sequence[Picture],
    placement: QuantizerPlacement,
    rewrite: Callable[[ir.Model], object] = lambda model: None,
) -> CalibratedGraph:
    """The work that plans share which differ only in the nodes that they keep; for the arguments see
    :func:`quantize`.
    """
    model = model.clone()
    equalize_channels(model, plan, pictures, placement)
    rewrite(model)
    if placement.everywhere:
        everywhere.prepare(model)
    names = (
        everywhere.values_to_calibrate(model)
        if placement.everywhere
        else insert.values_to_calibrate(model, plan, placement)
    )
    statistics = calibrate_once(model, names, pictures, histograms=plan.ranges != "minmax") if names else {}
    return CalibratedGraph(model, statistics, placement)


def equalize_channels(model: ir.Model, plan: Plan, pictures: Sequence[Picture], placement: QuantizerPlacement) -> None:
    """Even out channels in place, as far as the plan asks."""
    if not plan.equalize:
        return
    outputs = [
        str(node.outputs[0].name)
        for node, setting in quantized_nodes(model, plan)
        if insert.rounds_output(node, setting, placement)
    ]
    names = [*equalize.values_to_calibrate(model), *outputs]
    statistics = calibrate_once(model, names, pictures, histograms=False) if names else {}
    equalize.equalize_conv_outputs(model, statistics, outputs)
    equalize.equalize(model, statistics, plan.equalize)
