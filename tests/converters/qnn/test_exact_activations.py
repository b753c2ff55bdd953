"""The NPU's compiler must not merge a Tanh into the convolution in front of it."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from pocketlens.converters import qnn
from pocketlens.converters.emitter import Labels
from pocketlens.converters.qnn.exact_activations import keep_activations_exact
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.quality import psnr
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, small_graph

_TEXT = """
<ir_version: 10, opset_import: ["": 20]>
m (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y)
<float[3, 3, 1, 1] w = {1, 0, 0, 0, 1, 0, 0, 0, 1}, float two = {2}> { %s }
"""


@pytest.mark.parametrize(
    ("nodes", "clips"),
    [
        ("t = Conv (x, w) y = Tanh (t)", 1),
        ("t = Conv (x, w) u = Mul (t, two) v = Add (two, u) y = Sigmoid (v)", 1),
        ("t = Conv (x, w) s = Sigmoid (t) y = Mul (t, s)", 1),
        ("t = Conv (x, w) u = Mul (t, x) y = Tanh (u)", 0),
        ("t = Conv (x, w) r = Relu (t) y = Tanh (r)", 0),
        ("t = ConvTranspose (x, w) y = Tanh (t)", 0),
        ("t = Conv (x, w) y = HardSwish (t)", 0),
    ],
)
def test_what_would_be_merged_is_kept_apart(nodes: str, clips: int) -> None:
    model = ir.from_proto(onnx.parser.parse_model(_TEXT % nodes))
    assert keep_activations_exact(model) == clips
    assert [node.op_type for node in model.graph].count("Clip") == clips
    onnx.checker.check_model(ir.to_proto(model))


@pytest.mark.skipif(bool(RUNTIMES["qnn"].missing()), reason=RUNTIMES["qnn"].install)
def test_a_picture_that_ends_in_a_tanh_loses_its_rounding_alone(tmp_path: Path) -> None:
    """Bytes alone cost 58.9 dB; merged, the small generator has 56.6 here."""
    shown, path = picture(32, 48, 7), tmp_path / "small.onnx"
    qnn.emit(small_graph(), "fp16", Labels("small"), path, "sm8650")
    with open_artifact(path) as session:
        played = session.floats(shown)
    assert psnr(np.clip(simulate(small_graph(), [shown])[0], 0, 255), played) > 58
