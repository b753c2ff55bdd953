"""The same plan in each target's file: small, close to the graph it was made from, in integers."""

from pathlib import Path

import numpy as np
import pytest

from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.quantization.plan import default
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.quality import psnr
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, small_graph


@pytest.mark.parametrize(("target", "name"), [("onnx", "a.onnx"), ("openvino", "a.xml"), ("tflite", "a.tflite")])
def test_file_gives_what_its_graph_gives(tmp_path: Path, target: str, name: str) -> None:
    made = quantize(small_graph(), default("int8"), [picture(32, 48, seed) for seed in (1, 2, 3)], target)
    emitter(target).emit(made, "int8", Labels("small"), tmp_path / name)
    emitter(target).emit(made, "int8", Labels("small"), tmp_path / f"again-{name}")
    judged = picture(32, 48, 7)
    with open_artifact(tmp_path / name) as session:
        played = session.floats(judged)
    assert psnr(simulate(made, [judged])[0], np.clip(played, 0, 255)) > 35
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
    data = tmp_path / name if target != "openvino" else tmp_path / "a.bin"
    if target != "tflite":  # whose kernels of two thousand weights are lost in what else the file holds
        assert data.stat().st_size < 40_000
