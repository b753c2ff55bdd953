"""From a float graph to a quantized one: equalize, rewrite, calibrate, correct, insert."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import onnx_ir as ir

from pocketlens.converters.quantization import bias_correct, equalize, insert, plan
from pocketlens.converters.quantization.calibrate import calibrate
from pocketlens.converters.quantization.insert import FORMS, Form
from pocketlens.converters.quantization.plan import Plan
from pocketlens.images import Picture


def quantize(
    model: ir.Model,
    wanted: Plan,
    pictures: Sequence[Picture],
    target: str,
    rewrite: Callable[[ir.Model], object] = lambda model: None,
) -> ir.Model:
    """A quantized copy of a graph, in the form of a target.

    Args:
        model: The graph before any rewrite: channels are evened out where norms and convolutions still stand side by side.
            One with quantizers of its own, from quantization-aware training, is taken as it is.
        wanted: The plan.
        pictures: To calibrate with, ``uint8 [height, width, 3]`` of the graph's size.
        target: For instance ``"openvino"``.
        rewrite: Applied in place before the quantizers are set.

    Raises:
        InputError: A value is not finite or constant on all pictures; the message names the node.
    """
    model = model.clone()
    if plan.has_quantizers(model):
        return model
    form = FORMS.get(target, Form())
    prepare(model, wanted, pictures, form)
    rewrite(model)
    place(model, wanted, pictures, form)
    return model


def prepare(model: ir.Model, wanted: Plan, pictures: Sequence[Picture], form: Form) -> None:
    """Even out channels in place, as far as the plan asks."""
    if not wanted.equalize:
        return
    outputs = [str(node.outputs[0].name) for node, _ in plan.chosen(model, wanted)] if form.outputs else []
    names = [*equalize.taps(model), *outputs]
    found = calibrate(model, names, pictures, histograms=False) if names else {}
    equalize.even_outputs(model, found, outputs)
    equalize.equalize(model, found, wanted.equalize)


def place(model: ir.Model, wanted: Plan, pictures: Sequence[Picture], form: Form) -> int:
    """Calibrate and set the quantizers, in place; returns how many nodes compute in integers."""
    names = insert.taps(model, wanted, form)
    if not names:
        return 0
    found = calibrate(model, names, pictures, histograms=wanted.ranges != "minmax")
    if wanted.correct_bias:
        bias_correct.correct(model, wanted, found, form)
    return insert.insert(model, wanted, found, form)


def with_ranges(wanted: Plan, ranges: str) -> Plan:
    """The same plan with ranges found another way."""
    return replace(wanted, ranges=ranges)
