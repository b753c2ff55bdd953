"""Which of a plan's settings are worth having: equalization, kinds of range and bias correction are measured, not
believed.

None of them helps every generator: ranges of least squared error cut off the bright spots that one style lives on, and
evening out channels costs where a norm does it anyway. So each is tried on the graph, one after the other, on the
calibration pictures.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import onnx_ir as ir

from pocketlens.converters.quantization import sensitivity
from pocketlens.converters.quantization.plan import Plan
from pocketlens.converters.quantization.quantize import CalibratedGraph, calibrate_graph
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.images import Picture
from pocketlens.targets import QuantizerPlacement

CHOICES: dict[str, tuple[Any, ...]] = {
    "equalize": (0.0, 0.5, 1.0),
    "ranges": ("minmax", "mse", "percentile"),
    "correct_bias": (False, True),
}
"""The values of each setting, in the order in which they are tried: doing nothing, what usually helps, and what else
there is.
"""
MIN_GAIN_DB = 0.5
"""dB by which another value, doing nothing among them, must beat the usual one: on a few pictures less is chance
(docs/decisions/0013)."""
MAX_PICTURES = 8
"""That are looked at: the order of the settings shows on few."""


@dataclass(frozen=True)
class SettingTrial:
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


def choose_settings(
    model: ir.Model,
    plan: Plan,
    pictures: Sequence[Picture],
    placement: QuantizerPlacement,
    rewrite: Callable[[ir.Model], object] = lambda model: None,
    fixed: Collection[str] = (),
) -> tuple[Plan, tuple[SettingTrial, ...]]:
    """A plan with the settings that measure best, and what each value gained.

    Args:
        model: The graph before any rewrite; it is not changed.
        plan: Whose rules are used; its settings count where they are in ``fixed``.
        pictures: To calibrate with, ``uint8 [height, width, 3]`` of the graph's size.
        placement: Where the kernels of the target's runtime want values rounded.
        rewrite: Applied in place before the quantizers are set.
        fixed: Settings that somebody has decided about: they are left alone.

    Raises:
        InputError: A value is not finite or constant on all pictures; the message names the node.
    """
    pictures = _every_nth(pictures)
    best = replace(plan, **{name: values[1] for name, values in CHOICES.items() if name not in fixed})
    references = simulate(model, pictures)
    calibrated: dict[float, CalibratedGraph] = {}

    @cache  # what one setting was chosen with is what the next one begins with
    def psnr(candidate: Plan) -> float:
        if (
            candidate.equalize not in calibrated
        ):  # "mse" keeps the histograms, so that every kind of range can be asked for
            calibrated[candidate.equalize] = calibrate_graph(
                model, replace(candidate, ranges="mse"), pictures, placement, rewrite
            )
        error = sensitivity.mean_squared_error(
            simulate(calibrated[candidate.equalize].apply_plan(candidate), pictures), references
        )
        return float(10 * np.log10(255.0**2 / max(error, 1e-9)))

    trials = []
    for name, values in CHOICES.items():
        if name in fixed:
            continue
        dbs = {value: psnr(replace(best, **{name: value})) for value in values}
        nothing, usual, *others = values
        most = max(values, key=dbs.__getitem__)
        value = most if dbs[most] > dbs[usual] + MIN_GAIN_DB else usual
        best = replace(best, **{name: value})
        trials += [SettingTrial(name, str(v), round(dbs[v] - dbs[nothing], 2), v == value) for v in (usual, *others)]
    return best, tuple(trials)


def _every_nth(pictures: Sequence[Picture]) -> Sequence[Picture]:
    step = -(-len(pictures) // MAX_PICTURES) if pictures else 1
    return pictures[::step]


def settings_sentence(trials: Sequence[SettingTrial]) -> str:
    """What was measured, in words; empty where nothing was tried.

    Example:
        >>> settings_sentence([SettingTrial("equalize", "0.5", 3.1, True), SettingTrial("ranges", "mse", -0.2, False)])
        'kept equalize 0.5 (+3.1 dB); not ranges mse (-0.2 dB)'
    """
    parts = []
    for word, kept in (("kept", True), ("not", False)):
        phrases = [f"{t.setting} {t.value} ({t.gained:+.1f} dB)" for t in trials if t.kept == kept]
        if phrases:
            parts.append(f"{word} {', '.join(phrases)}")
    return "; ".join(parts).replace("correct_bias True", "bias correction")
