from pathlib import Path

import numpy as np
import onnx_ir as ir

from pocketlens import images
from pocketlens.models.distill.feature_teacher import feature_teacher
from pocketlens.models.export import export
from pocketlens.models.source import Source, resolve


def test_an_onnx_file_gives_the_picture_and_the_features_of_the_module_that_it_came_from(
    source: Source, eval_pictures: list[images.Picture], tmp_path: Path
) -> None:
    ir.save(export(source.load(), 64, 64, source.ranges), tmp_path / "t.onnx")
    onnx_source = resolve("t.onnx", base=tmp_path)
    pixels, features = feature_teacher(source)(eval_pictures[0])
    onnx_pixels, onnx_features = feature_teacher(onnx_source)(eval_pictures[0])
    assert np.abs(pixels - onnx_pixels).max() < 0.1
    assert features is not None
    assert onnx_features is not None
    assert features.shape[1:] == onnx_features.shape[1:] == (16, 16)
