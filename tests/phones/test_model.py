"""Predictions: their error on networks that were left out, and what they refuse."""

import numpy as np
import pytest

from pocketlens.errors import InputError
from pocketlens.phones.layers import Costs
from pocketlens.phones.measurements import Setting, measurements, phone_named, phones
from pocketlens.phones.model import LEAST_NETWORKS, predict, rates, settings
from pocketlens.phones.networks import costs

S24 = Setting("Samsung Galaxy S24", "float", "tflite")


@pytest.mark.parametrize(("arithmetic", "median", "worst"), [("float", 0.15, 0.40), ("w8a8", 0.25, 0.62)])
def test_networks_that_were_left_out_are_predicted_this_well(arithmetic: str, median: float, worst: float) -> None:
    """The figures of the documentation: 12 and 21 % in the median, 37 and 59 % at the 90th percentile."""
    errors = [
        abs(1 / ratio - 1)
        for setting in settings()
        if setting.arithmetic == arithmetic
        for ratio in rates(setting).ratios.values()
    ]
    assert len(errors) > 900
    assert np.median(errors) < median
    assert np.quantile(errors, 0.9) < worst


def test_a_network_that_is_left_out_is_not_fitted_under_another_name() -> None:
    """ESRGAN and Real-ESRGAN x4plus are one generator: neither may help to predict the other."""
    assert costs("esrgan") == costs("real_esrgan_x4plus")
    ratios, measured = rates(S24).ratios, measurements()[S24]
    assert ratios["esrgan"] / ratios["real_esrgan_x4plus"] == pytest.approx(
        measured["esrgan"] / measured["real_esrgan_x4plus"]
    )


def test_more_work_takes_longer_and_intervals_hold_the_prediction() -> None:
    small = Costs(1.0, 1.2, 0.0, 10.0, 5.0, 1.0, 20)
    large = Costs(4.0, 4.8, 0.0, 40.0, 20.0, 1.0, 20)
    for setting in settings():
        first, second = predict(small, setting), predict(large, setting)
        assert 0 < first.low <= first.ms <= first.high
        assert first.ms < second.ms


def test_a_setting_with_few_measurements_is_refused() -> None:
    few = next(setting for setting, measured in measurements().items() if len(measured) < LEAST_NETWORKS)
    with pytest.raises(InputError, match=f"needs {LEAST_NETWORKS}"):
        predict(costs("dncnn"), few)


def test_a_phone_is_known_by_a_part_of_its_name() -> None:
    assert phone_named("S22") == "Samsung Galaxy S22 5G"
    assert all(phone_named(phone) == phone for phone in phones())
    with pytest.raises(InputError, match="several phones"):
        phone_named("Galaxy")
    with pytest.raises(InputError, match="no measurements") as caught:
        phone_named("iPhone 17")
    assert "Samsung Galaxy S24" in str(caught.value)
