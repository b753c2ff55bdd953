"""Rules say what is quantized."""

import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.quantization.plan import (
    PlanRule,
    candidates,
    check_rules,
    rules_for_few_inputs,
)
from pocketlens.errors import InputError
from tests.generators import small_graph


def test_litert_keeps_convolutions_of_few_channels_in_float() -> None:
    graph = small_graph()
    (rule,) = rules_for_few_inputs(graph, 8, "int8")
    (first,) = [node for node in candidates(graph) if rule.fits(node)]
    assert hub.static_shape(first.inputs[1])[1] == 3
    assert not rules_for_few_inputs(graph, 0, "int8") and not rules_for_few_inputs(graph, 8, "w8")


def test_rules_are_checked() -> None:
    for rule in (("(", "int8"), ("", "int4")):
        with pytest.raises(InputError):
            PlanRule(*rule)
    with pytest.raises(InputError, match="matches no convolution"):
        check_rules(small_graph(), [PlanRule("lats", "float")])
