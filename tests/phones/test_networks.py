"""The layers of published networks are what their papers say: they weigh what Qualcomm states."""

import pytest

from pocketlens.phones.measurements import measurements
from pocketlens.phones.networks import NETWORKS, PARAMETERS, costs


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_parameters_that_are_stated(name: str) -> None:
    """Layers have no biases or norms, which are up to 1.3 % of what is stated."""
    stated = PARAMETERS[name]
    assert stated * 0.985 < costs(name).weights < stated * 1.005


def test_every_network_that_is_measured_is_known_and_the_other_way_round() -> None:
    assert {name for measured in measurements().values() for name in measured} == set(NETWORKS)


@pytest.mark.parametrize(
    ("name", "gmacs"), [("resnet50", 4.09), ("mobilenet_v2", 0.30), ("squeezenet1_1", 0.35), ("googlenet", 1.50)]
)
def test_multiply_adds_are_those_that_torchvision_states(name: str, gmacs: float) -> None:
    """SqueezeNet pools without padding there: its pictures are 6 % smaller, which its multiply-adds square."""
    assert costs(name).all_gmacs == pytest.approx(gmacs, rel=0.13)
