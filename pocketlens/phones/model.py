"""The time of a network on a phone, as a sum over what it computes and what it moves.

``ms = start + padded multiply-adds / rate + values / bandwidth + weights / bandwidth + layers x launch``, where each
coefficient is zero or more, and is fitted (non-negative least squares of the relative error) to the published networks
that were measured on that phone, in that arithmetic and runtime. The error is measured by leaving each network out of
the fit in turn, with any other that has the same layers, and predicting it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.phones.layers import Costs
from pocketlens.phones.measurements import Setting, measurements
from pocketlens.phones.networks import costs

LEAST_NETWORKS = 12
"""A setting with fewer measured networks is not fitted: seven coefficients need more."""
TAIL = 0.1
"""Share of the networks left out that lie below an interval, and share that lies above it."""


@dataclass(frozen=True)
class Prediction:
    """Milliseconds that were predicted, never measured.

    Attributes:
        phone: The device.
        arithmetic: float, w8a8 or w8a16.
        runtime: tflite, onnx or qnn_dlc.
        ms: Of one picture.
        low: 80 % of the networks left out lie between ``low`` and ``high`` when they are predicted.
        high: See ``low``.
        median_error: Of the networks left out: the median of the relative error.
        worst_error: The 90th percentile of it.
        networks: How many networks were measured in this setting.
    """

    phone: str
    arithmetic: str
    runtime: str
    ms: float
    low: float
    high: float
    median_error: float
    worst_error: float
    networks: int


@dataclass(frozen=True)
class Rates:
    """A fitted setting.

    Attributes:
        coefficients: float64 [7], in the order of :func:`_terms`.
        ratios: Network → measured / predicted, when it was left out.
    """

    coefficients: NDArray[np.float64]
    ratios: dict[str, float]

    def ms(self, network: Costs) -> float:
        """Milliseconds of a network."""
        return float(_terms(network) @ self.coefficients)

    def interval(self, network: Costs) -> tuple[float, float]:
        """Milliseconds between which 80 % of the networks left out would lie."""
        low, high = np.quantile(list(self.ratios.values()), (TAIL, 1 - TAIL))
        ms = self.ms(network)
        return ms * min(1.0, float(low)), ms * max(1.0, float(high))


def predict(network: Costs, setting: Setting) -> Prediction:
    """The time of a network in a setting, with its error.

    Raises:
        InputError: Too few networks were measured in that setting.

    Example:
        >>> from pocketlens.phones.networks import costs
        >>> answer = predict(costs("dncnn"), Setting("Samsung Galaxy S24", "float", "tflite"))
        >>> answer.low < answer.ms < answer.high
        True
    """
    fitted = rates(setting)
    ratios = np.array(list(fitted.ratios.values()))
    errors = np.abs(1 / ratios - 1)
    return Prediction(
        setting.phone, setting.arithmetic, setting.runtime, fitted.ms(network), *fitted.interval(network),
        float(np.median(errors)), float(np.quantile(errors, 0.9)), len(ratios),
    )  # fmt: skip


@cache
def rates(setting: Setting) -> Rates:
    """Fit a setting, and measure its error by leaving networks out.

    Raises:
        InputError: Too few networks were measured in it.
    """
    measured = measurements().get(setting, {})
    if len(measured) < LEAST_NETWORKS:
        raise InputError(
            f"{len(measured)} networks were measured on {setting.phone} in {setting.arithmetic} with "
            f"{setting.runtime}, and a prediction needs {LEAST_NETWORKS}",
            do="choose another precision, runtime or phone",
        )
    return fit({name: costs(name) for name in measured}, measured)


def fit(networks: Mapping[str, Costs], measured: Mapping[str, float]) -> Rates:
    """Fit the rates of what networks were measured on, and measure the error by leaving networks out.

    Args:
        networks: Name → what it costs.
        measured: Name → milliseconds.
    """
    from scipy.optimize import nnls

    terms = {name: _terms(networks[name]) for name in measured}

    def solve(names: list[str]) -> NDArray[np.float64]:
        # Divided by what was measured, so that every network counts alike and not by its milliseconds.
        rows = np.array([terms[name] / measured[name] for name in names])
        return np.asarray(nnls(rows, np.ones(len(names)))[0])

    ratios = {}
    for name in measured:
        others = [other for other in measured if networks[other] != networks[name]]
        ratios[name] = measured[name] / float(terms[name] @ solve(others))
    return Rates(solve(list(measured)), ratios)


def settings() -> list[Setting]:
    """The settings that can be predicted, by phone, arithmetic and runtime."""
    enough = (setting for setting, measured in measurements().items() if len(measured) >= LEAST_NETWORKS)
    return sorted(enough, key=lambda setting: (setting.phone, setting.arithmetic, setting.runtime))


def _terms(network: Costs) -> NDArray[np.float64]:
    return np.array(
        [
            1.0,
            network.padded_gmacs,
            network.by_channel_gmacs,
            network.values,
            network.other_values,
            network.weights,
            network.layers / 100,
        ]
    )
