"""A graph's layers are counted as those of published networks are."""

import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.models.export import export
from pocketlens.phones.builder import Builder
from pocketlens.phones.graph_layers import graph_layers
from pocketlens.phones.layers import total
from tests.generators import small_graph


def test_a_graph_and_its_description_cost_the_same() -> None:
    """A network that torch exports, beside what :class:`Builder` makes of its description."""
    from torch import nn

    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.ReLU(),
        nn.ConvTranspose2d(16, 3, 2, 2),
    )  # fmt: skip
    described = Builder(3, 32, 48).conv(16, 3, 2).by_channel().enlarge_conv(3)
    graph, wanted = total(graph_layers(export(module, 32, 48, Ranges((0, 255), (0, 255))))), total(described.layers)
    assert graph.gmacs == pytest.approx(wanted.gmacs)
    assert graph.padded_gmacs == pytest.approx(wanted.padded_gmacs)
    assert graph.by_channel_gmacs == pytest.approx(wanted.by_channel_gmacs)
    assert graph.weights == pytest.approx(wanted.weights)
    assert graph.values == pytest.approx(wanted.values)


def test_multiply_adds_are_those_of_the_graph() -> None:
    graph = small_graph()
    costs = total(graph_layers(graph))
    assert costs.all_gmacs * 1e9 == pytest.approx(hub.macs(graph))
