"""Borders of a transposed convolution are cropped by its pads: exact, done after one go, and what must stay stays."""

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pocketlens.converters.rewrites.crop_transposed_conv import CropTransposedConv
from tests.converters.rewrites.harness import assert_close


def _cropped(kernel: int, stride: int, crops: tuple[int, int, int, int], step: int = 1, readers: int = 1) -> ir.Model:
    rng = np.random.default_rng(kernel * 10 + stride)
    weight = numpy_helper.from_array(rng.standard_normal((4, 3, kernel, kernel)).astype(np.float32), "w")
    top, left, bottom, right = crops
    length = 5 * stride + kernel - stride
    bounds = {
        "starts": [top, left],
        "ends": [length - bottom, length - right],
        "axes": [2, 3],
        "steps": [step, step],
    }
    constants = [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in bounds.items()]
    nodes = [
        helper.make_node("ConvTranspose", ["x", "w"], ["full"], strides=[stride, stride], name="up"),
        helper.make_node("Slice", ["full", *bounds], ["y"], name="crop"),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    if readers > 1:
        outputs.append(helper.make_tensor_value_info("full", TensorProto.FLOAT, None))
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 6, 6])], outputs, [weight, *constants]
    )
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))
    ir.passes.common.ShapeInferencePass()(model)
    return model


def _run(model: ir.Model) -> np.ndarray:
    session = ort.InferenceSession(ir.to_proto(model).SerializeToString())
    image = np.random.default_rng(0).standard_normal((1, 4, 6, 6)).astype(np.float32)
    result: np.ndarray = session.run(None, {"x": image})[0]
    return result


@settings(max_examples=30)
@given(st.integers(2, 5), st.integers(1, 3), st.tuples(*[st.integers(0, 2)] * 4))
def test_crop_is_exact_and_idempotent(kernel: int, stride: int, crops: tuple[int, int, int, int]) -> None:
    model = _cropped(kernel, stride, crops)
    before = _run(model)
    assert CropTransposedConv()(model).modified
    assert [node.op_type for node in model.graph] == ["ConvTranspose"]
    assert_close([_run(model)], [before])
    assert not CropTransposedConv()(model).modified


def test_crop_leaves_steps_and_second_readers_alone() -> None:
    for model in (_cropped(3, 2, (0, 0, 1, 1), step=2), _cropped(3, 2, (0, 0, 1, 1), readers=2)):
        assert not CropTransposedConv()(model).modified
