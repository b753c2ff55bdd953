"""Which of a plan's helps are worth having: equalization, ranges and bias correction stay only where they measure better.

None of them helps every generator: ranges of least squared error cut off the bright spots that one style lives on, and evening out
channels costs where a norm does it anyway. So each is tried on the graph, one after the other: calibrated with half of the calibration
pictures and judged by the other half, and the other way round.
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

CHOICES: dict[str, tuple[Any, ...]] = {
    "equalize": (0.0, 0.5, 1.0),
    "ranges": ("minmax", "mse", "percentile"),
    "correct_bias": (False, True),
}
"""The values of each setting, in the order in which they are tried: doing nothing, what usually helps, and what else there is."""
BETTER, MUCH_BETTER = 0.1, 0.5
"""dB that the usual value must gain over nothing, and another one over both: on a few pictures small gains are chance."""
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
    target: str,
    rewrite: Callable[[ir.Model], object] = lambda model: None,
    asked: Collection[str] = (),
) -> tuple[Plan, tuple[Trial, ...]]:
    """A plan with the settings that measure best, and what each value gained.

    Args:
        model: The graph before any rewrite; it is not changed.
        plan: Whose rules are used; its settings count where they are in ``asked``.
        pictures: To calibrate with, ``uint8 [height, width, 3]`` of the graph's size.
        target: For instance ``"openvino"``.
        rewrite: Applied in place before the quantizers are set.
        asked: Settings that somebody has decided about: they are left alone.

    Raises:
        InputError: A value is not finite or constant on all pictures; the message names the node.
    """
    halves = _halves(_some(pictures))
    best = replace(plan, **{name: values[1] for name, values in CHOICES.items() if name not in asked})
    references = [simulate(model, judges) for _, judges in halves]
    ready: dict[float, list[Calibrated]] = {}

    def psnr(candidate: Plan) -> float:
        if candidate.equalize not in ready:  # "mse" keeps the histograms, so that every kind of range can be asked for
            every = replace(candidate, ranges="mse")
            ready[candidate.equalize] = [calibrated(model, every, seen, target, rewrite) for seen, _ in halves]
        played, meant = [], []
        for fold, (_, judges), wanted in zip(ready[candidate.equalize], halves, references, strict=True):
            played += simulate(fold.quantized(candidate), judges)
            meant += wanted
        return float(10 * np.log10(255.0**2 / max(sensitivity.error(played, meant), 1e-9)))

    trials = []
    for name, values in CHOICES.items():
        if name in asked:
            continue
        found = {value: psnr(replace(best, **{name: value})) for value in values}
        nothing, usual, *others = values
        value = usual if found[usual] > found[nothing] + BETTER else nothing
        other = max(others, key=found.__getitem__, default=value)
        if found[other] > found[value] + MUCH_BETTER:
            value = other
        best = replace(best, **{name: value})
        trials += [Trial(name, str(v), round(found[v] - found[nothing], 2), v == value) for v in (usual, *others)]
    return best, tuple(trials)


def _halves(pictures: Sequence[Picture]) -> list[tuple[Sequence[Picture], Sequence[Picture]]]:
    """Pictures to calibrate with and to judge by, and the other way round: ranges must not be judged by what they were made from."""
    if len(pictures) < 2:
        return [(pictures, pictures)]
    return [(pictures[1::2], pictures[::2]), (pictures[::2], pictures[1::2])]


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
