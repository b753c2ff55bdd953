"""Milliseconds of a student before it is trained: predicted from a few small networks that were measured on the device.

The cost model is the one of :mod:`pocketlens.phones.model`; only the networks that it is fitted to are measured here,
and those that the search measures are added to them.
"""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.phones.layers import Costs
from pocketlens.phones.model import Rates, fit
from pocketlens.recipe import Compress, Search
from pocketlens.recipe_search.tasks import Play, p95_of

QUICK = BenchmarkSettings(
    seconds=0.4, count=12, max_seconds=4.0, block_seconds=0.1, warm_seconds=0.5, answer_seconds=60.0
)
"""A network of the calibration is measured for less than a second, and for at most four and a half with its warm-up."""
FILES_SECONDS = 60.0
"""Files of a calibration are made for so long; those that are not made by then are left out. With the measurement of
twelve, a calibration takes two minutes at the most."""
FEWEST_NETWORKS = 3
"""So many are made in any case: the cost model has three rates."""


@dataclass(frozen=True)
class Prediction:
    """Milliseconds that were predicted, and what was measured later.

    Attributes:
        ms: At p95.
        low: 80 % of networks like it lie between ``low`` and ``high``.
        high: See ``low``.
    """

    ms: float
    low: float
    high: float

    def error(self, measured: float) -> float:
        """The relative error."""
        return abs(self.ms / measured - 1)


def calibration_students(table: Search, kinds: tuple[str, ...]) -> list[Compress]:
    """The students that a device is calibrated with: the corners of the space and its middle.

    Of each kind the smallest and the largest come first, and kinds take turns: a calibration that ends early has seen
    all of them.

    Example:
        >>> [settings.width for settings in calibration_students(Search(), ("pocket",))]
        [8, 64, 8, 64, 36, 36]
        >>> [settings.macs or "pocket" for settings in calibration_students(Search(), ("pocket", "ranks"))][:5]
        ['pocket', 0.03, 'pocket', 0.3, 'pocket']
    """
    (low, high), (half_low, half_high), (few, many) = table.width, table.half_res_channels, table.blocks
    width, half, blocks = (low + high) // 2, (half_low + half_high) // 2, (few + many) // 2
    shapes = [
        (low, half_low, few), (high, half_high, many), (low, half_high, many), (high, half_low, few),
        (width, half, blocks), (width, half_high, few),
    ]  # fmt: skip
    least, most = table.share
    shares = dict.fromkeys((least, most, round(math.sqrt(least * most), 4)))
    students = {
        kind: [Compress.model_validate({"macs": share, "cut": kind}) for share in shares]
        for kind in ("channels", "ranks")
    }
    students["pocket"] = [Compress(width=w, half_res_channels=h, blocks=b) for w, h, b in dict.fromkeys(shapes)]
    turns = itertools.zip_longest(*(students[kind] for kind in kinds))
    return [settings for turn in turns for settings in turn if settings is not None]


@dataclass
class LatencyModel:
    """The rates of one file kind played in one way on one device.

    Attributes:
        play: The device and how.
        networks: What each measured network costs.
        measured: Its p95 in ms.
    """

    play: Play
    networks: dict[str, Costs] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    _rates: Rates | None = None

    def calibrate(self, costs: list[Costs], document: Document) -> None:
        """Take over the measurement of the calibration's networks."""
        for number, (cost, ms) in enumerate(zip(costs, p95_of(document), strict=True)):
            self.add(f"calibration {number}", cost, ms)

    def add(self, name: str, costs: Costs, ms: float) -> None:
        """Take over one measured network."""
        self.networks[name], self.measured[name], self._rates = costs, ms, None

    def predict(self, costs: Costs) -> Prediction:
        """The time of a network."""
        if self._rates is None:
            self._rates = fit(self.networks, self.measured)
        return Prediction(self._rates.ms(costs), *self._rates.interval(costs))


def error_text(errors: list[float]) -> str:
    """The errors of a search's predictions in a sentence; empty where nothing was measured yet.

    Example:
        >>> error_text([0.1, 0.2, 0.3])
        'prediction error: median 20 %, 90th percentile 28 %, 3 measured'
    """
    if not errors:
        return ""
    median, worst = np.median(errors), np.quantile(errors, 0.9)
    return f"prediction error: median {median:.0%}, 90th percentile {worst:.0%}, {len(errors)} measured".replace(
        "%", " %"
    )
