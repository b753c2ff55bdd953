"""A floor follows from what a rounding does to the graph: right files of ill-conditioned generators pass, wrong ones do
not.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.rounding import move_integers, respond
from pocketlens.converters.verify import GRAPH_FLOORS, verify_artifact
from pocketlens.errors import VerificationError
from pocketlens.models.export import export
from pocketlens.models.teacher import torch_teacher
from pocketlens.precisions import PRECISIONS
from pocketlens.targets import TARGETS
from tests.generators import SIGNED, picture, seeded, small_graph

SIZE = (32, 48)
PICTURES = [picture(*SIZE, seed) for seed in range(2)]


class Dying(nn.Module):
    """Channels that have all but died behind biases: a norm takes the bias away, and enlarges what is left."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.InstanceNorm2d(8, affine=True)
        self.middle, self.norm_2 = nn.Conv2d(8, 8, 3, padding=1), nn.InstanceNorm2d(8, affine=True)
        self.last = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = torch.relu(self.norm_2(self.middle(x)))
        y: torch.Tensor = torch.tanh(self.last(x))
        return y


@pytest.fixture(scope="module")
def dying() -> nn.Module:
    module = seeded(Dying)
    with torch.no_grad():
        module.middle.weight.mul_(0.02)
        module.middle.bias.add_(10)
    return module


def swap_channels(graph: ir.Model) -> None:
    _change(graph, lambda w: np.ascontiguousarray(w[:, ::-1]))


def zero_kernel(graph: ir.Model) -> None:
    _change(graph, lambda w: w * (np.arange(len(w)) > 0).reshape(-1, 1, 1, 1).astype(np.float32))


def shift_padding(graph: ir.Model) -> None:
    conv = [node for node in graph.graph if node.op_type == "Conv"][-1]
    conv.attributes["pads"] = ir.AttrInt64s("pads", [0, 0, 2, 2])


def _change(graph: ir.Model, change: Callable[[np.ndarray], np.ndarray]) -> None:
    weight = [node for node in graph.graph if node.op_type == "Conv"][-1].inputs[1]
    weight.const_value = ir.tensor(change(np.array(constant(weight))), name=weight.name)


DAMAGES = [swap_channels, zero_kernel, shift_padding]


def verified(
    model: ir.Model, target: str, precision: str, teachers: Sequence[np.ndarray], folder: Path, graph: Path | None
) -> float:
    path = folder / f"case-{precision}{TARGETS[target].suffix}"
    emitter(target).emit(model, precision, Labels("case"), path)
    return verify_artifact(path, PRECISIONS[precision].floors, PICTURES, teachers, graph=graph).worst.psnr


@pytest.fixture(scope="module")
def case(dying: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[np.ndarray]]:
    """The graph of the ill-conditioned generator, and its teacher's pictures."""
    path = tmp_path_factory.mktemp("case") / "graph.onnx"
    hub.save(export(dying, *SIZE, SIGNED), path)
    teacher = torch_teacher(dying, SIGNED)
    return path, [teacher(p) for p in PICTURES]


def test_a_right_graph_passes_where_rounding_moves_it_below_the_floor(case: tuple[Path, list[np.ndarray]]) -> None:
    path, teachers = case
    with pytest.raises(VerificationError, match=r"at least 100 dB"):
        verify_artifact(path, GRAPH_FLOORS, PICTURES, teachers)
    reached = verify_artifact(path, GRAPH_FLOORS, PICTURES, teachers, graph=path).worst.psnr
    response = respond(hub.load(path), GRAPH_FLOORS, PICTURES[0])
    assert abs(response.psnr - reached) < GRAPH_FLOORS.margin, "rounding does what another order of sums does"


@pytest.mark.parametrize("target", ["onnx", "openvino", "tflite", "coreml"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_damages_are_caught_where_the_floor_is_lowered(
    case: tuple[Path, list[np.ndarray]], target: str, precision: str, tmp_path: Path
) -> None:
    path, teachers = case
    if (target, precision) == ("coreml", "fp16"):  # its arithmetic is in half precision: 25 dB, and rounding says 19
        with pytest.raises(VerificationError, match=r"(?s)rounding alone moves its picture to .* do: ask for fp32"):
            verified(hub.load(path), target, precision, teachers, tmp_path, path)
    else:
        verified(hub.load(path), target, precision, teachers, tmp_path, path)
    for damage in DAMAGES:
        graph = hub.load(path)
        damage(graph)
        hub.save(graph, tmp_path / "graph.onnx")
        with pytest.raises(VerificationError, match=r"is wrong: .* dB against the teacher"):
            verified(graph, target, precision, teachers, tmp_path, tmp_path / "graph.onnx")


def test_a_healthy_generator_keeps_its_floors() -> None:
    graph = small_graph()
    for floors in (GRAPH_FLOORS, PRECISIONS["fp32"].floors):
        assert respond(graph, floors, PICTURES[0]).psnr - floors.margin > floors.file


def test_steps_are_moved_where_integers_are_rounded() -> None:
    """A graph that rounds to 16 levels: values near a boundary take the next level, the others stay."""
    pixels = ir.Value(name="image", shape=ir.Shape((1, 3, *SIZE)), type=ir.TensorType(ir.DataType.FLOAT))
    model = ir.Model(ir.Graph([pixels], [], nodes=[], opset_imports={"": hub.OPSET}), ir_version=10)
    scale = hub.add_constant(model, "scale", np.array(17, np.float32))
    zero = hub.add_constant(model, "zero", np.array(0, np.uint8))
    rounded = ir.node("QuantizeLinear", [pixels, scale, zero])
    back = ir.node("DequantizeLinear", [rounded.outputs[0], scale, zero], outputs=[ir.Value(name="stylized")])
    rounded.outputs[0].name, back.outputs[0].dtype = "levels", ir.DataType.FLOAT
    back.outputs[0].shape = pixels.shape
    model.graph.extend([rounded, back])
    model.graph.outputs.append(back.outputs[0])
    from pocketlens.converters.quantization.simulate import simulate

    (as_it_is,), (moved,) = simulate(model, PICTURES[:1]), simulate(move_integers(model, 0.1), PICTURES[:1])
    steps = np.abs(moved - as_it_is) / 17
    assert set(np.unique(steps.round(4))) == {0.0, 1.0}
    assert 0.02 < steps.mean() < 0.1
