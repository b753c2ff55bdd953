"""The graph before and after, by figures that can be counted by hand, and times that runtimes tell."""

from pathlib import Path

import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters import roofline
from pocketlens.converters.roofline import LayerCost, Machine
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.pipeline.commands.explain import ALONE, explain
from pocketlens.pipeline.single_node_model import single_node_model
from tests.generators import small_graph


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain") / "small.onnx"
    hub.save(small_graph(), path)
    return path


def _first_convolution(machine: Machine) -> LayerCost:
    return next(layer for layer in roofline.layer_costs(small_graph(), machine) if layer.operator == "Conv")


def test_the_model_counts_what_a_hand_counts() -> None:
    """The first convolution: 3 to 8 channels, 3 x 3, 32 x 48 to 16 x 24."""
    layer = _first_convolution(Machine(gmacs=1.0, gbytes=1000.0))
    assert (layer.operator, layer.kernel, layer.shape) == ("Conv", (3, 3), (1, 8, 16, 24))
    assert layer.macs == 8 * 3 * 3 * 3 * 16 * 24
    assert layer.bytes == 4 * (3 * 32 * 48 + 8 * 16 * 24 + 8 * 3 * 3 * 3 + 8)
    assert layer.limit == "compute" and layer.ms == pytest.approx(layer.macs / 1e6)
    slow = _first_convolution(Machine(gmacs=1000.0, gbytes=0.1))
    assert slow.limit == "memory" and slow.ms == pytest.approx(slow.bytes / 1e5)


def test_sides_show_what_rewrites_change(model: Path) -> None:
    found = explain(str(model), size=(32, 48), targets=("onnx", "tflite"), rewrites=("sub-pixel-conv",))
    assert [side.name for side in found.sides] == ["as given", "graph", "onnx", "tflite"]
    _, before, after, _ = found.sides
    assert before.operators["ConvTranspose"] == 1 and "ConvTranspose" not in after.operators
    assert after.rewrites == ("sub-pixel-conv",) and before.rewrites == ()
    assert before.macs == hub.macs(small_graph())
    costs = [layer.ms for layer in found.costs[0].layers]
    assert len(costs) == 10 and costs == sorted(costs, reverse=True)
    assert not found.costs[0].steps


def test_runtimes_tell_the_time_of_their_layers(model: Path) -> None:
    targets = ("onnx", "openvino", "tflite", "coreml")
    found = explain(str(model), size=(32, 48), targets=targets, rewrites="none", measure=True, threads=1, frames=2)
    by_target = {cost.target: cost for cost in found.costs}
    assert by_target["onnx"].measured == "onnxruntime" and by_target["openvino"].measured == "openvino"
    assert by_target["tflite"].measured == f"litert{ALONE}"
    assert not by_target["coreml"].steps, "an interpreter has no speed"
    names = [node.name for node in hub.load(model).graph if node.op_type in ("Conv", "ConvTranspose")]
    for target in ("onnx", "openvino", "tflite"):
        steps = by_target[target].steps
        assert all(step.ms > 0 for step in steps)
        assert [step.ms for step in steps] == sorted((step.ms for step in steps), reverse=True)
        told = [step for step in steps if "conv" in f"{step.name}{step.operator}".lower()]
        assert len(told) >= len(names), "every convolution is told"


def test_what_cannot_stand_alone_is_refused() -> None:
    nodes = {node.op_type: node for node in small_graph().graph}
    assert len(single_node_model(nodes["Conv"]).graph) == 1
    assert single_node_model(nodes["Add"]).graph.inputs[0].uses(), "both operands become one input"
    with pytest.raises(UnsupportedError, match="different shapes"):
        grow = small_graph()
        add = next(node for node in grow.graph if node.op_type == "Add" and node.inputs[1].const_value is None)
        add.inputs[1].shape = type(add.inputs[1].shape)((1, 8, 1, 1))
        single_node_model(add)


def test_unknown_targets_and_rewrites(model: Path) -> None:
    with pytest.raises(InputError, match="no target 'web'"):
        explain(str(model), size=(32, 48), targets=("web",))
    with pytest.raises(InputError, match="no rewrite 'faster'"):
        explain(str(model), size=(32, 48), rewrites=("faster",))
