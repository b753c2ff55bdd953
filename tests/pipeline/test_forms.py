"""Where a target's file is wrong with its rewrites, the next form is tried, and the artifact says which was taken."""

from pathlib import Path

import onnx_ir as ir
import pytest
import torch
from torch import nn

from pocketlens.chips import ChipChoice
from pocketlens.converters import onnx as onnx_target
from pocketlens.converters import qnn as qnn_target
from pocketlens.converters.emitter import Labels
from pocketlens.converters.quantization import everywhere
from pocketlens.errors import VerificationError
from pocketlens.models.source import wrap
from pocketlens.pipeline.compile import compile_sizes
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.search.mixed_precision_search import SearchSettings
from pocketlens.precisions import Floors
from pocketlens.progress import silent
from pocketlens.recipe import Gate
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import TARGETS, ArtifactSpec
from tests.generators import SIGNED, picture

SIZE = (64, 64)
EVAL_SET = EvalSet(("a",), (picture(*SIZE),), calibration=(picture(*SIZE, 7), picture(*SIZE, 8)))


def _evaluation(module: nn.Module) -> Evaluation:
    source = wrap(module, "thin", ranges=(SIGNED.input, SIGNED.output), size=SIZE)
    return Evaluation.prepare(source, EVAL_SET, Labels("thin"))


def _thin_end(kernel: int = 7, channels: int = 16) -> nn.Module:
    """A last convolution to three channels, which is packed by default."""
    torch.manual_seed(9)
    module = nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, 3, kernel, padding=kernel // 2), nn.Tanh()
    )
    for weight in module.parameters():
        with torch.no_grad():
            weight.normal_(0, (2 / weight[0].numel()) ** 0.5 if weight.ndim > 1 else 0.1)
    return module.eval()


def _wrong_where(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX's emitter writes wrong weights for graphs that have an operator."""
    right = onnx_target.emit

    def wrong(model, precision, labels, path):  # type: ignore[no-untyped-def]
        model = model.clone()
        if any(node.op_type == operator for node in model.graph):
            for value in model.graph.initializers.values():
                if value.const_value.size > 100:
                    value.const_value = ir.tensor(value.const_value.numpy()[::-1].copy(), name=value.name)
        right(model, precision, labels, path)

    monkeypatch.setattr(onnx_target, "emit", wrong)


def test_a_file_that_is_wrong_with_a_rewrite_is_made_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path))
    evaluation = _evaluation(_thin_end())
    (before,) = compile_sizes([evaluation], {"onnx": ["fp32"]}, silent)
    assert before.artifacts[0].rewrites and not before.artifacts[0].note
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "again"))
    _wrong_where("DepthToSpace", monkeypatch)
    (compiled,) = compile_sizes([evaluation], {"onnx": ["fp32"]}, silent)
    (artifact,) = compiled.artifacts
    assert not artifact.rewrites and artifact.verification.worst.psnr > 80
    assert artifact.note.startswith("made without pack-thin-conv") and "is wrong: " in artifact.note
    assert not compiled.failed


def test_a_file_that_is_wrong_in_every_form_fails_with_its_first_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path))
    _wrong_where("Conv", monkeypatch)
    with pytest.raises(VerificationError, match=r"onnx-fp32-64x64\.onnx is wrong"):
        compile_sizes([_evaluation(_thin_end())], {"onnx": ["fp32"]}, silent)


class _Logarithm(nn.Module):
    """A picture's logarithm between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.last(torch.log(self.first(x).abs() + 1)))


@pytest.mark.skipif(bool(RUNTIMES["qnn"].missing()), reason=RUNTIMES["qnn"].install)
def test_a_file_that_the_npu_plays_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In Qualcomm's emulator: a fault of the NPU (docs/upstream.md) that nothing here knows of."""
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path))
    monkeypatch.setattr(everywhere, "_LEAST_SCALES", {})
    monkeypatch.setattr(qnn_target, "why_wrong", lambda node: "")
    with pytest.raises(VerificationError, match=r"qnn-int8-64x64-sm8650\.onnx is wrong"):
        compile_sizes([_evaluation(_Logarithm())], {"qnn": ["int8"]}, silent, chips=ChipChoice(("sm8650",)))


def _has_amx() -> bool:
    facts = Path("/proc/cpuinfo")
    return facts.exists() and "amx_int8" in facts.read_text()


@pytest.mark.skipif(not _has_amx(), reason="the fault is that of processors with AMX: amx_int8 in /proc/cpuinfo")
@pytest.mark.parametrize("channels", [16, 24])
def test_openvinos_packed_int8_of_a_7_x_7_convolution_on_amx(channels: int) -> None:
    """Packed it gives 11 dB on these processors, plain 45 (docs/upstream.md)."""
    (compiled,) = compile_sizes([_evaluation(_thin_end(channels=channels))], {"openvino": ["int8"]}, silent)
    (artifact,) = compiled.artifacts
    assert artifact.verification.agreement > TARGETS["openvino"].precision("int8").floors.file
    assert "made without pack-thin-conv" in artifact.note, "OpenVINO was mended: take the note out of docs/upstream.md"


def test_a_wrong_low_bit_file_starts_the_search_under_a_lowered_floor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first layer's integers are wrong, and no right file reaches the fixed floor: what rounding does lowers it."""
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path))
    high = Floors(70, block_means=85, teacher=15, slack=45)
    monkeypatch.setattr(ArtifactSpec, "floors", property(lambda spec: high))
    right = onnx_target.emit

    def wrong(model, precision, labels, path):  # type: ignore[no-untyped-def]
        model = model.clone()
        for value in model.graph.initializers.values():
            if value.dtype == ir.DataType.INT8 and len(value.shape) == 4 and value.shape[1] == 3:
                value.const_value = ir.tensor(value.const_value.numpy()[::-1].copy(), name=value.name)
        right(model, precision, labels, path)

    monkeypatch.setattr(onnx_target, "emit", wrong)
    asked = ([_evaluation(_thin_end())], {"onnx": ["int8"]}, silent)
    with pytest.raises(VerificationError, match="rounding alone moves its picture"):
        compile_sizes(*asked, rewrites="none")
    [size] = compile_sizes(*asked, rewrites="none", search=SearchSettings(Gate(psnr=20), points=3))
    (artifact,) = size.artifacts
    assert artifact.note.startswith("layers were kept in float: as asked, ")
    assert artifact.plan is not None and len(artifact.plan.rules) > 1
    assert artifact.verification.agreement is not None and 25 < artifact.verification.agreement < 70
