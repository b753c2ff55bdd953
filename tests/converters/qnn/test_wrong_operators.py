"""Nodes that the NPU would compute wrongly are refused by name, before anything is compiled."""

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from pocketlens.converters import qnn
from pocketlens.converters.emitter import Labels
from pocketlens.errors import UnsupportedError

_GRAPH = """
<ir_version: 10, opset_import: ["": 21]>
m (float[1, 3, 4, 1] image) => (float[N, C, H, W] stylized)
<float s = {0.01}, float t = {0.02}, float u = {0.00006}, uint16 z = {0}, uint16[1, 3, 1, 1] c = {1, 2, 3},
 float[2] scales = {0.01, 0.02}, int8[1, 2] row = {100, 50}, int64[2] one = {1, 1},
 int64[1, 3, 1, 1] at = {0, 1, 2}, int64[2] axes = {1, 3}, int64[1] channels = {1}>
{ qi = QuantizeLinear (image, s, z) x = DequantizeLinear (qi, s, z) k = DequantizeLinear (c, s, z)
  NODES
  qo = QuantizeLinear (y, OUT, z) stylized = DequantizeLinear (qo, OUT, z) }
"""
CASES = [
    ("y = Log (x)", "u", "Log", "2^-14 or less, here 6e-05"),
    ("y = Log (x)", "t", "", ""),
    ("y = Pow (k, x)", "s", "Pow", "no power of a constant"),
    ("y = Pow (x, k)", "s", "", ""),
    ("y = ReduceSum (x, axes)", "t", "ReduceSum", "an axis of length 1"),
    ("y = ReduceMean (x, axes)", "t", "ReduceMean", "an axis of length 1"),
    ("y = ReduceMean (x, channels)", "t", "", ""),
    ("y = ScatterElements <axis = 2> (x, at, k)", "t", "ScatterElements", "whose scales differ"),
    ("y = ScatterElements <axis = 2> (x, at, k)", "s", "", ""),
    (
        "f = Tanh (x) fi = QuantizeLinear (f, t, z) g = DequantizeLinear (fi, t, z) gi = QuantizeLinear (g, s, z)"
        " h = DequantizeLinear (gi, s, z) y = ScatterElements <axis = 2> (h, at, k)",
        "s",
        "ScatterElements",
        "of a Sigmoid or Tanh",
    ),
    (
        "p = ReduceMax (x) pi = QuantizeLinear (p, s, z) pf = DequantizeLinear (pi, s, z) f = Reshape (pf, one)"
        " fi = QuantizeLinear (f, s, z) v = DequantizeLinear (fi, s, z)"
        " w = DequantizeLinear <axis = 1> (row, scales) y = Gemm (v, w)",
        "s",
        "Gemm",
        "does not end",
    ),
    ("w = Cast <to = 7> (x) y = Cast <to = 1> (w)", "s", "Cast", "leaves out a Cast"),
]


def _model(nodes: str, out: str) -> ir.Model:
    text = _GRAPH.replace("NODES", nodes).replace("OUT", out)
    return ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text)))


@pytest.mark.parametrize(("nodes", "out", "operator", "reason"), CASES)
def test_integers_that_would_be_wrong_are_refused(
    nodes: str, out: str, operator: str, reason: str, tmp_path: Path
) -> None:
    model = _model(nodes, out)
    found = [(refusal.operator, refusal.reason) for refusal in qnn.refusals(model)]
    assert [name for name, _ in found] == [operator] * bool(operator)
    if not operator:
        return
    assert reason in found[0][1]
    path = tmp_path / "filter.onnx"
    with pytest.raises(UnsupportedError, match=rf"would be wrong on the NPU:\n  qnn: {operator} .*") as error:
        qnn.emit(model, "int8", Labels("filter"), path, "sm8650")
    assert reason in error.value.what and "or choose fp16" in error.value.do
    assert not path.exists()


def test_floats_are_not_refused_for_what_is_wrong_in_integers() -> None:
    nodes = "f = Relu (image) l = Log (f) w = Cast <to = 7> (l) v = Cast <to = 1> (w) y = ReduceSum (v, axes)"
    assert qnn.refusals(_model(nodes, "s")) == []
