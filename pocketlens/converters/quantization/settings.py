"""Which of a plan's helps are worth having: equalization, kinds of range and bias correction are measured, not believed.

None of them helps every generator: ranges of least squared error cut off the bright spots that one style lives on, and evening out
channels costs where a norm does it anyway. So each is tried on the graph, one after the other, on the calibration pictures.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir

from pocketlens.converters.quantization import sensitivity
from pocketlens.converters.quantization.plan import Plan
from pocketlens.converters.quantization.quantize import Calibrated, calibrated
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.images import Picture
from pocketlens.targets import QuantizerPlacement

CHOICES: dict[str, tuple[Any, ...]] = {
    "equalize": (0.0, 0.5, 1.0),
    "ranges": ("minmax", "mse", "percentile"),
    "correct_bias": (False, True),
}
"""The values of each setting, in the order in which they are tried: doing nothing, what usually helps, and what else there is."""
BETTER = 0.5
"""dB by which another value, doing nothing among them, must beat the usual one: on a few pictures less is chance
(docs/decisions/0013)."""
MOST_PICTURES = 8
"""That are looked at: the order of the settings shows on few."""


@dataclass(frozen=True)
class Trial:
    """One value of a setting, tried with the others as they are: chosen already, or as usual.

    Attributes:
        setting: One of :data:`CHOICES`.
        value: In words.
        gained: dB over doing nothing, of the error over all pictures.
        kept: Whether the plan has it.
    """

    setting: str
    value: str
    gained: float
    kept: bool


def measured(
    model: ir.Model,
    plan: Plan,
    pictures: Sequence[Picture],
    placement: QuantizerPlacement,
    rewrite: Callable[[ir.Model], object] = lambda model: None,
    asked: Collection[str] = (),
) -> tuple[Plan, tuple[Trial, ...]]:
    """A plan with the settings that measure best, and what each value gained.

    Args:
        model: The graph before any rewrite; it is not changed.
        plan: Whose rules are used; its settings count where they are in ``asked``.
        pictures: To calibrate with, ``uint8 [height, width, 3]`` of the graph's size.
        placement: Where the kernels of the target's runtime want values rounded.
        rewrite: Applied in place before the quantizers are set.
        asked: Settings that somebody has decided about: they are left alone.

    Raises:
        InputError: A value is not finite or constant on all pictures; the message names the node.
    """
    pictures = _some(pictures)
    best = replace(plan, **{name: values[1] for name, values in CHOICES.items() if name not in asked})
    references = simulate(model, pictures)
    ready: dict[float, Calibrated] = {}

    def psnr(candidate: Plan) -> float:
        if candidate.equalize not in ready:  # "mse" keeps the histograms, so that every kind of range can be asked for
            ready[candidate.equalize] = calibrated(
                model, replace(candidate, ranges="mse"), pictures, placement, rewrite
            )
        error = sensitivity.error(simulate(ready[candidate.equalize].quantized(candidate), pictures), references)
        return float(10 * np.log10(255.0**2 / max(error, 1e-9)))

    trials = []
    for name, values in CHOICES.items():
        if name in asked:
            continue
        found = {value: psnr(replace(best, **{name: value})) for value in values}
        nothing, usual, *others = values
        most = max(values, key=found.__getitem__)
        value = most if found[most] > found[usual] + BETTER else usual
        best = replace(best, **{name: value})
        trials += [Trial(name, str(v), round(found[v] - found[nothing], 2), v == value) for v in (usual, *others)]
    return best, tuple(trials)


def _some(pictures: Sequence[Picture]) -> Sequence[Picture]:
    step = -(-len(pictures) // MOST_PICTURES) if pictures else 1
    return pictures[::step]


def sentence(trials: Sequence[Trial]) -> str:
    """What was found, in words; empty where nothing was tried.

    Example:
        >>> sentence([Trial("equalize", "0.5", 3.1, True), Trial("ranges", "mse", -0.2, False)])
        'kept equalize 0.5 (+3.1 dB); not ranges mse (-0.2 dB)'
    """
    parts = []
    for word, kept in (("kept", True), ("not", False)):
        found = [f"{t.setting} {t.value} ({t.gained:+.1f} dB)" for t in trials if t.kept == kept]
        if found:
            parts.append(f"{word} {', '.join(found)}")
    return "; ".join(parts).replace("correct_bias True", "bias correction")
