"""From a float graph to a quantized one: equalize, rewrite, calibrate, correct, insert."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from pocketlens.converters.quantization import bias_correct, equalize, insert, plan
from pocketlens.converters.quantization.calibrate import Statistics, calibrate
from pocketlens.converters.quantization.plan import Plan
from pocketlens.images import Picture
from pocketlens.targets import QuantizerPlacement


def quantize(
    model: ir.Model,
    wanted: Plan,
    pictures: Sequence[Picture],
    placement: QuantizerPlacement,
    rewrite: Callable[[ir.Model], object] = lambda model: None,
) -> ir.Model:
    """A quantized copy of a graph, with quantizers where a target wants them.

    Args:
        model: The graph before any rewrite: channels are evened out where norms and convolutions still stand side by side.
            One with quantizers of its own, from quantization-aware training, is taken as it is.
        wanted: The plan.
        pictures: To calibrate with, ``uint8 [height, width, 3]`` of the graph's size.
        placement: Where the kernels of the target's runtime want values rounded.
        rewrite: Applied in place before the quantizers are set.

    Raises:
        InputError: A value is not finite or constant on all pictures; the message names the node.
    """
    if plan.has_quantizers(model):
        return model.clone()
    return calibrated(model, wanted, pictures, placement, rewrite).quantized(wanted)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A graph that is ready for quantizers: evened out, rewritten, and with the ranges of its values.

    Attributes:
        model: The graph, still of floats.
        statistics: Of every value that the plan may round.
        placement: Where the kernels of the target's runtime want values rounded.
    """

    model: ir.Model
    statistics: Mapping[str, Statistics]
    placement: QuantizerPlacement

    def quantized(self, wanted: Plan) -> ir.Model:
        """A copy with a plan written into it, which quantizes no node that the plan of the calibration left out."""
        model = self.model.clone()
        if wanted.correct_bias:
            bias_correct.correct(model, wanted, self.statistics, self.placement)
        insert.insert(model, wanted, self.statistics, self.placement)
        return model


def calibrated(
    model: ir.Model,
    wanted: Plan,
    pictures: Sequence[Picture],
    placement: QuantizerPlacement,
    rewrite: Callable[[ir.Model], object] = lambda model: None,
) -> Calibrated:
    """The work that plans share which differ only in the nodes that they keep; for the arguments see :func:`quantize`."""
    model = model.clone()
    prepare(model, wanted, pictures, placement)
    rewrite(model)
    names = insert.taps(model, wanted, placement)
    found = calibrate(model, names, pictures, histograms=wanted.ranges != "minmax") if names else {}
    return Calibrated(model, found, placement)


def prepare(model: ir.Model, wanted: Plan, pictures: Sequence[Picture], placement: QuantizerPlacement) -> None:
    """Even out channels in place, as far as the plan asks."""
    if not wanted.equalize:
        return
    outputs = [str(node.outputs[0].name) for node, _ in plan.chosen(model, wanted)] if placement.outputs else []
    names = [*equalize.taps(model), *outputs]
    found = calibrate(model, names, pictures, histograms=False) if names else {}
    equalize.even_outputs(model, found, outputs)
    equalize.equalize(model, found, wanted.equalize)
