"""A constant that repeats a few numbers over the picture is not stored as a picture."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.rewrites.canonicalize import canonicalize
from pocketlens.converters.rewrites.spread_constants import LARGE, SpreadConstants
from pocketlens.models.export import export
from pocketlens.quality import psnr
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import every_target
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes
from tests.generators import picture

SHAPE = (1, 3, 128, 128)
ROWS = np.broadcast_to(np.linspace(-1, 1, 128).reshape(1, 1, -1, 1), (1, 1, 128, 128))
LABEL = np.broadcast_to(np.array([1.0, 0.0, -2.0]).reshape(1, 3, 1, 1), SHAPE)


@pytest.mark.parametrize(
    ("constant", "expands"),
    [(LABEL, 1), (ROWS, 1), (np.concatenate([ROWS, ROWS.swapaxes(2, 3), LABEL], 1), 3), (LABEL[..., :4, :4], 0)],
    ids=["label", "rows", "rows, columns and label", "small"],
)
def test_few_numbers_are_spread_by_a_node(constant: np.ndarray, expands: int) -> None:
    builder = GraphBuilder((*SHAPE[:2], *constant.shape[2:]))
    builder.add("Concat", "x", builder.array(constant), axis=1)
    model = builder.model()
    left = check_passes(model, SpreadConstants, applies=expands > 0)
    assert left["Expand"] == expands
    sizes = [v.const_value.size for node in model.graph for v in node.inputs if v is not None and v.const_value]
    assert max(sizes) < LARGE
    before = [node.op_type for node in model.graph]  # folding constants once more does not undo it
    canonicalize(model)
    assert [node.op_type for node in model.graph] == before


def test_a_number_without_axes_is_left_to_be_refused() -> None:
    one = ir.Value(name="one", const_value=ir.tensor(np.float32(1)))
    joined = ir.node("Concat", [one], {"axis": 0})
    graph = ir.Graph([], joined.outputs, nodes=[joined], initializers=[one])
    assert not SpreadConstants()(ir.Model(graph, ir_version=10)).modified


class Labelled(nn.Module):
    """A label beside the picture, as StarGAN has it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.last = nn.Conv2d(6, 3, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        label = torch.tensor([1.0, 0.0, -2.0]).view(1, 3, 1, 1).repeat(1, 1, *x.shape[2:])
        y: torch.Tensor = 100 * self.last(torch.cat([x / 255, 0.5 * label], 1)) + 120
        return y


@pytest.fixture(scope="module")
def labelled() -> ir.Model:
    return export(Labelled().eval(), 128, 128, Ranges())


@pytest.mark.parametrize("target", every_target())
def test_no_file_holds_a_picture(labelled: ir.Model, target: str, tmp_path: Path) -> None:
    suffix = {"openvino": "xml", "coreml": "mlpackage"}.get(target, target)
    path = tmp_path / f"small.{suffix}"
    emitter(target).emit(labelled, "fp32", Labels("small"), path)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 4 * LARGE
    image = picture(128, 128)
    with torch.no_grad():
        stylized = Labelled().eval()(torch.from_numpy(image.transpose(2, 0, 1)[None]).float())
    with open_artifact(path) as session:
        found = session.floats(image)
    assert psnr(stylized[0].permute(1, 2, 0).clamp(0, 255).numpy(), np.clip(found, 0, 255)) > 100
