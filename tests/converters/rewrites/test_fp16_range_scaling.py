"""Values that overflow half precision are made smaller by exact means, and then fit; the picture stays."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from pocketlens import quality
from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.fp16_audit import FP16_MAX, HEADROOM, audit
from pocketlens.converters.rewrites.fp16_range_scaling import scale_fp16_ranges
from pocketlens.models.export import export
from pocketlens.runtimes.session import open_artifact
from tests.converters.fp16_models import Loud
from tests.generators import SIGNED, picture, small_graph

SIZE = (32, 48)


PICTURES = [picture(*SIZE, seed) for seed in range(3)]


def loud() -> ir.Model:
    return export(Loud().eval(), *SIZE, SIGNED)


def played(model: ir.Model, path: Path, target: str = "onnx", precision: str = "fp32") -> list[np.ndarray]:
    suffix = {"onnx": ".onnx", "coreml": ".mlpackage"}[target]
    artifact = path / f"{target}-{precision}{suffix}"
    emitter(target).emit(model, precision, Labels("x"), artifact)
    with open_artifact(artifact, "onnxruntime" if target == "onnx" else "mil") as session:
        return [session.floats(one) for one in PICTURES]


def test_what_overflows_before_fits_after_and_the_picture_is_the_same(tmp_path: Path) -> None:
    before = loud()
    extents = audit(before, PICTURES)
    over = {extent.operator for extent in extents if extent.kind == "value" and extent.overflows}
    assert {"Conv", "Pad", "LeakyRelu", "Add"} <= over
    (tmp_path / "before").mkdir()
    exact = played(before, tmp_path / "before")
    broken = played(before, tmp_path / "before", "coreml", "fp16")
    assert not all(np.isfinite(p).all() for p in broken) or quality.psnr(exact[0], broken[0]) < 30

    after = before.clone()
    scaled = scale_fp16_ranges(after, extents)
    assert scaled
    (tmp_path / "after").mkdir()
    for one, other in zip(exact, played(after, tmp_path / "after"), strict=True):
        assert quality.psnr(one, other) > 130, "a power of two costs no digit"
    left = [extent for extent in audit(after, PICTURES) if extent.kind == "value"]
    assert max(extent.largest for extent in left) <= FP16_MAX / HEADROOM
    halves = played(after, tmp_path / "after", "coreml", "fp16")
    assert all(quality.psnr(one, half) > 50 for one, half in zip(exact, halves, strict=True))


def test_a_quiet_graph_is_left_alone() -> None:
    model = small_graph(16, 16)
    weights = {name: np.array(constant(value)) for name, value in model.graph.initializers.items()}
    pictures = [picture(16, 16)]
    quiet = [extent for extent in audit(model, pictures) if extent.kind == "value"]
    assert not scale_fp16_ranges(model, quiet)
    assert all((constant(value) == weights[name]).all() for name, value in model.graph.initializers.items())


def test_a_scaled_graph_needs_no_more() -> None:
    model = loud()
    scale_fp16_ranges(model, audit(model, PICTURES))
    assert not scale_fp16_ranges(model, [e for e in audit(model, PICTURES) if e.kind == "value"])


@pytest.mark.parametrize("end", ["tanh", "output", "product", "clip"])
def test_what_does_not_scale_stops_it(end: str) -> None:
    class Ending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loud, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 1)
            with torch.no_grad():
                self.loud.weight.mul_(1e6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.loud(x)
            y = {"tanh": torch.tanh, "output": lambda v: v, "product": lambda v: v * v, "clip": F.relu6}[end](y)
            return y[:, :3] if end == "output" else self.last(y)

    model = export(Ending().eval(), *SIZE, SIGNED)
    extents = audit(model, PICTURES)
    assert any(extent.overflows for extent in extents if extent.kind == "value")
    scaled = scale_fp16_ranges(model, extents)
    assert not any("loud" in name for name in scaled), "nothing behind it takes the factor back"


@settings(max_examples=12)
@given(st.integers(0, 10_000), st.floats(1, 1e7))
def test_any_graph_of_such_layers_keeps_its_picture(seed: int, gain: float) -> None:
    class Random(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(seed)
            self.rng = np.random.default_rng(seed)
            self.kinds = self.rng.integers(0, 9, 6)
            self.convs = nn.ModuleList(nn.Conv2d(4 if i else 3, 4, 3, padding=1) for i in range(7))
            self.norms = nn.ModuleList(nn.InstanceNorm2d(4, affine=True) for _ in range(6))
            self.last = nn.Conv2d(4, 3, 1)
            with torch.no_grad():
                self.convs[self.rng.integers(0, 7)].weight.mul_(gain)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = kept = self.convs[0](x)
            for kind, conv, norm in zip(self.kinds, self.convs[1:], self.norms, strict=True):
                x = [
                    lambda v, c=conv: c(v), lambda v, n=norm: n(v), torch.relu, lambda v: F.leaky_relu(v, 0.1),
                    lambda v, k=kept: v + k, lambda v: F.pad(v, (1, 1, 1, 1), "reflect")[:, :, 1:-1, 1:-1],
                    lambda v: F.max_pool2d(v, 3, 1, 1) * 0.5 - 1, lambda v, k=kept: torch.cat([v[:, :2], k[:, 2:]], 1),
                    lambda v, c=conv: torch.sigmoid(c(v)) * v,
                ][kind](x)  # fmt: skip
                kept = x if kind == 1 else kept
            return torch.tanh(self.last(x))

    import onnxruntime as ort

    model = export(Random().eval(), 8, 8, SIGNED)
    pictures = [picture(8, 8, seed)]
    pixels = pictures[0].transpose(2, 0, 1)[None].astype(np.float32)
    runs = []
    for turn in range(2):
        if turn:
            scale_fp16_ranges(model, audit(model, pictures))
            hub.check(model)
        session = ort.InferenceSession(ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"])
        runs.append(session.run(None, {hub.INPUT: pixels})[0])
    assert quality.psnr(*runs) > 100


class Spread(nn.Module):
    """A norm whose scale is the standard deviation of another value, as AnimeGANv3 has it, over large values."""

    def __init__(self, gate: str = "", unbiased: bool = True) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.mix, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 3, 3)
        self.gate, self.unbiased = gate, unbiased
        with torch.no_grad():
            self.mix.weight.mul_(3e3)
            self.last.weight.mul_(3e-4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        t = self.mix(x)
        variance, mean = torch.var_mean(t, dim=[2, 3], keepdim=True, unbiased=self.unbiased)
        y = (x - x.mean((2, 3), keepdim=True)) * torch.sqrt(variance + 1e-5) + mean
        if self.gate == "sigmoid":  # takes no factor: the mean goes on at its own size
            y = y * torch.sigmoid(mean / 1e4)
        if self.gate == "batch":
            left, right = y.chunk(2, 1)
            y = torch.cat([F.batch_norm(left, left.new_zeros(4), left.new_ones(4)), F.instance_norm(right)], 1)
        return torch.tanh(self.last(F.pad(y, (1, 1, 1, 1), mode="reflect")))


@pytest.mark.parametrize("gate", ["", "sigmoid", "batch"])
@pytest.mark.parametrize("unbiased", [True, False])
def test_squares_of_a_variance_fit_in_whatever_form_it_is_written(gate: str, unbiased: bool, tmp_path: Path) -> None:
    model = export(Spread(gate, unbiased).eval(), *SIZE, SIGNED)
    exact = played(model, tmp_path)
    extents = audit(model, PICTURES)
    assert any(extent.overflows for extent in extents if extent.kind == "value")
    assert scale_fp16_ranges(model, extents)
    hub.check(model)
    left = [extent.largest for extent in audit(model, PICTURES) if extent.kind == "value"]
    assert max(left) <= FP16_MAX / HEADROOM
    (tmp_path / "after").mkdir()
    for one, other in zip(exact, played(model, tmp_path / "after"), strict=True):
        assert quality.psnr(one, other) > 120
    for one, half in zip(exact, played(model, tmp_path / "after", "coreml", "fp16"), strict=True):
        assert quality.psnr(one, half) > 50
