"""Values without axes: a mean of everything, and what is computed of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pocketlens import quality
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.models.export import export
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS
from tests.conformance.case import Case, Place
from tests.conformance.check import Outcome, check
from tests.generators import SIGNED, picture


class Brightness(nn.Module):
    """A picture made darker by a tenth of its mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.conv(x) - (x.mean() * 0.1 + 0.2))


@pytest.mark.parametrize("target", ["tflite", "openvino", "coreml", "coreai"])
def test_a_scalar_meets_a_picture(target: str, tmp_path: Path) -> None:
    graph = export(Brightness().eval(), 24, 16, SIGNED)
    assert any(hub.static_shape(node.outputs[0]) == () for node in graph.graph)
    artifacts = {}
    for name in ("onnx", target):
        artifacts[name] = tmp_path / f"{name}{TARGETS[name].suffix}"
        emitter(name).emit(graph, "fp32", Labels("brightness"), artifacts[name])
    pictures = []
    for path in artifacts.values():
        with open_artifact(path) as session:
            pictures.append(session.floats(picture(24, 16)))
    assert quality.psnr(*(np.clip(pixels, 0, 255) for pixels in pictures)) > 90


_KINDS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceLogSumExp")


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("target", ["tflite", "openvino", "coreml", "coreai"])
def test_all_values_of_a_picture_become_one(target: str, kind: str) -> None:
    case = Case(f"h = Sigmoid(x)\nr = {kind} <keepdims = 0> (h)\ny = Mul(h, r)", {}, Place(3, 2, 3))
    assert check(case, target) is Outcome.RAN


@pytest.mark.parametrize("target", ["tflite", "openvino", "coreml", "coreai"])
def test_what_is_computed_of_a_scalar(target: str) -> None:
    nodes = """m = ReduceMean <keepdims = 0> (x)
h = ReduceMax <keepdims = 0> (x)
d = Sub(h, m)
e = Sqrt(d)
b = Greater(e, half)
w = Where(b, e, m)
u = Unsqueeze(w, places)
s = Reshape(m, flat)
v = Squeeze(s, none)
t = Mul(u, v)
y = Add(x, t)"""
    constants = {"half": 0.5, "places": (0, 1), "flat": (1, 1, 1), "none": (0, 1, 2)}
    assert check(Case(nodes, constants, Place(3, 4, 5)), target) is Outcome.RAN
