"""A file that onnxruntime quantized in QDQ form converts to every target: what it rounds stays as it rounded it."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn

import pocketlens
from tests.converters.foreign_models import HEIGHT, WIDTH, Generator, torch_file
from tests.generators import picture

TARGETS = ["onnx", "openvino", "tflite", "coreml"]


class Pictures(CalibrationDataReader):
    """Three pictures of -1..1."""

    def __init__(self) -> None:
        self._left: Iterator[np.ndarray] = iter(picture(HEIGHT, WIDTH, seed) for seed in range(3))

    def get_next(self) -> dict[str, np.ndarray] | None:
        found = next(self._left, None)
        return None if found is None else {"x": found.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1}


def test_every_precision_keeps_what_was_rounded(tmp_path: Path) -> None:
    """A Relu lives in the quantizer behind it, so a target that drops the source's quantizers has 10 dB."""
    torch_file(Generator(nn.BatchNorm2d(8)), tmp_path / "float.onnx", 17, dynamo=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_static(
            str(tmp_path / "float.onnx"), str(tmp_path / "q.onnx"), Pictures(), quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
        )  # fmt: skip
    ranges = ((-1.0, 1.0), (-1.0, 1.0))
    made = pocketlens.convert(
        str(tmp_path / "q.onnx"), TARGETS, ["fp16", "int8"], tmp_path / "out", size=(HEIGHT, WIDTH), ranges=ranges
    )
    assert not made.failed, [failed.summary for failed in made.failed]
    assert {(a.spec.target, a.spec.precision) for a in made} == {(t, p) for t in TARGETS for p in ("fp16", "int8")}
    assert min(artifact.verification.worst.psnr for artifact in made) > 45
    assert "it is quantized already" in made.warnings[0]
