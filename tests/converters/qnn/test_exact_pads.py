"""Pads that the NPU's compiler fills wrongly are written in another form, which makes the same numbers."""

import itertools

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import parser

from pocketlens import accelerators
from pocketlens.converters import qnn
from pocketlens.converters.qnn.exact_pads import keep_pads_exact
from tests.conformance.batch import play
from tests.conformance.case import Case, Place

_FLOATS = 'p = Pad <mode = "{mode}"> (x, pads{fill}) y = Neg (p)'
_INTEGERS = """q = QuantizeLinear (x, scale, zero) d = DequantizeLinear (q, scale, zero)
    p = Pad <mode = "{mode}"> (d, pads{fill})
    r = QuantizeLinear (p, scale, zero) y = DequantizeLinear (r, scale, zero)"""
_TEXT = """<ir_version: 10, opset_import: ["": 21]>
m (float[1, 2, 3, 4] x) => (float[1, 2, {height}, {width}] y)
<int64[8] pads = {{0, 0, {top}, {left}, 0, 0, {bottom}, {right}}}, float v = {{7}}, float scale = {{0.5}},
 uint16 zero = {{900}}> {{ {nodes} }}"""


def _model(nodes: str, mode: str, pads: tuple[int, int, int, int]) -> onnx.ModelProto:
    top, left, bottom, right = pads
    nodes = nodes.format(mode=mode, fill=", v" if mode == "constant" else "")
    size = {"height": 3 + top + bottom, "width": 4 + left + right}
    return parser.parse_model(_TEXT.format(nodes=nodes, top=top, left=left, bottom=bottom, right=right, **size))


def _computed(model: onnx.ModelProto) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(3).integers(0, 200, (1, 2, 3, 4)).astype(np.float32)
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize("nodes", [_FLOATS, _INTEGERS])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_the_same_numbers(nodes: str, mode: str) -> None:
    for pads in itertools.product((0, 1), (0, 2), (0, 1), (0, 2)):
        proto = _model(nodes, mode, pads)
        model = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
        _, left, _, right = pads
        wrong = right > 0 and left == 0 if mode == "constant" else max(left, right) > 0 and mode == "edge"
        assert keep_pads_exact(model) == wrong
        assert keep_pads_exact(model) == 0, "what it writes is right"
        changed = ir.to_proto(model)
        onnx.checker.check_model(changed, full_check=True)
        assert np.array_equal(_computed(changed), _computed(proto)), (mode, pads)


def test_a_resize_by_another_scale_than_the_ratio_of_the_sizes_is_refused() -> None:
    text = """<ir_version: 10, opset_import: ["": 20]>
    m (float[1, 3, 4, 4] x) => (float[1, 3, 5, 8] y) <float[4] scales = {1, 1, %s, 2}>
    { y = Resize <mode = "linear"> (x, , scales) }"""
    assert not qnn.refusals(ir.from_proto(parser.parse_model(text % "1.25")))
    (refusal,) = qnn.refusals(ir.from_proto(parser.parse_model(text % "1.3")))
    assert refusal.reason == "the scale 1.3 is not 5 / 4"


@pytest.mark.parametrize(
    ("convention", "rounding", "height", "is_refused"),
    [
        ("half_pixel", "round_prefer_floor", 5, False),
        ("half_pixel", "floor", 8, True),
        ("asymmetric", "floor", 5, False),
        ("asymmetric", "round_prefer_ceil", 8, True),
        ("pytorch_half_pixel", "round_prefer_floor", 8, False),
        ("pytorch_half_pixel", "round_prefer_floor", 5, True),
    ],
)
def test_a_nearest_resize_that_takes_other_pixels_there(
    convention: str, rounding: str, height: int, is_refused: bool
) -> None:
    text = f"""<ir_version: 10, opset_import: ["": 20]>
    m (float[1, 3, 4, 4] x) => (float[1, 3, {height}, 8] y) <int64[4] sizes = {{1, 3, {height}, 8}}>
    {{ y = Resize <nearest_mode = "{rounding}", coordinate_transformation_mode = "{convention}"> (x, , , sizes) }}"""
    assert bool(qnn.refusals(ir.from_proto(parser.parse_model(text)))) == is_refused


WRONG_ONCE = [
    Case("y = Pad (x, pads)", {"pads": (0, 0, 0, 0, 0, 0, 1, 1)}, Place(3, 3, 5)),
    Case("y = Pad (x, pads, v)", {"pads": (0, 0, 0, 0, 0, 0, 0, 3), "v": 1.5}, Place(3, 8, 8)),
    Case('y = Pad <mode = "edge"> (x, pads)', {"pads": (0, 0, 1, 1, 0, 0, 1, 1)}, Place(3, 4, 6)),
    Case("y = Relu (x)", {}, Place(3, 1, 1)),
]
"""The last one, too: the generator around it pads one pixel up to four."""


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_what_was_wrong_once_is_right_on_the_npu(precision: str) -> None:
    if missing := accelerators.engine("snapdragon-npu").missing():
        pytest.skip(str(missing))
    assert [verdict.status for verdict in play(WRONG_ONCE, "snapdragon-npu", precision)] == ["whole"] * 4
