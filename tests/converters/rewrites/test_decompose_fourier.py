"""Fourier transforms become matrix products, with the same values."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.rewrites import decompose_fourier
from pocketlens.converters.rewrites.decompose_fourier import DecomposeFourier, real_signal_matrix
from pocketlens.converters.verify import verify_artifact
from pocketlens.models.export import export
from pocketlens.models.teacher import torch_teacher
from pocketlens.precisions import PRECISIONS
from pocketlens.targets import TARGETS
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import check_passes
from tests.generators import SIGNED, picture


def transform(shape: tuple[int, ...], axis: int, length: int | None = None, **attributes: int) -> ir.Model:
    builder = GraphBuilder(shape)
    said = "" if length is None else builder.array(length, np.int64)
    builder.add("DFT", "x", said, builder.array(axis, np.int64), **attributes)
    return builder.model()


@pytest.mark.parametrize(
    ("shape", "axis", "attributes"),
    [
        ((1, 2, 6, 7, 1), 3, {"onesided": 1}),
        ((1, 2, 6, 7, 2), 2, {}),
        ((1, 2, 6, 7, 2), -2, {"inverse": 1}),
        ((1, 5, 1), 1, {}),
        ((1, 5, 2), 1, {"length": 8}),
        ((1, 5, 2), 1, {"length": 3, "inverse": 1}),
    ],
)
def test_the_values_are_the_transform_s(shape: tuple[int, ...], axis: int, attributes: dict[str, int]) -> None:
    left = check_passes(transform(shape, axis, **attributes), DecomposeFourier)
    assert left["MatMul"] == 1 and "DFT" not in left


@pytest.mark.parametrize("length", [8, 9])
def test_half_a_spectrum_gives_the_real_signal(length: int) -> None:
    """numpy's transform is the reference: onnxruntime gives two parts here, and the standard one."""
    spectrum = np.fft.rfft(np.random.default_rng(2).standard_normal((3, length)))
    parts = np.stack([spectrum.real, spectrum.imag], -1).reshape(3, -1)
    signal = parts @ real_signal_matrix(spectrum.shape[1], length)
    assert np.abs(signal - np.fft.irfft(spectrum, length)).max() < 1e-6


class Fourier(nn.Module):
    """A Fourier convolution, as LaMa has it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mixed = nn.Conv2d(6, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        real, imaginary = torch.relu(self.mixed(torch.cat([spectrum.real, spectrum.imag], 1))).chunk(2, 1)
        y = torch.fft.irfftn(torch.complex(real, imaginary), s=x.shape[-2:], dim=(-2, -1), norm="ortho")
        return torch.tanh(x + y)


def test_a_fourier_convolution_converts_to_every_target(tmp_path: Path) -> None:
    module, image = Fourier().eval(), picture(8, 12, 1)
    model, expected = export(module, 8, 12, SIGNED), torch_teacher(module, SIGNED)(image)
    for target in ("onnx", "openvino", "tflite", "coreml"):
        assert emitter(target).refusals(model) == []
        path = tmp_path / f"x{TARGETS[target].suffix}"
        emitter(target).emit(model, "fp32", Labels("x"), path)
        verify_artifact(path, PRECISIONS["fp32"].floors, [image], [expected])


def test_a_long_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompose_fourier, "MAX_BYTES", 100)
    assert check_passes(transform((1, 5, 2), 1), DecomposeFourier, applies=False)["DFT"] == 1
