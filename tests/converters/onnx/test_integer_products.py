"""Quantized convolutions as products of matrices: the same sums, in the kernel that gives floats."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from pocketlens.converters.onnx.integer_products import use_integer_products
from pocketlens.converters.quantization.products import is_product

BESIDE = ("Add", "Reshape", "Transpose", "Pad", "Gather", "Slice", "DequantizeLinear", "MatMul")


def convolution(
    operator: str, channels: int, outputs: int, kernel: tuple[int, int], *, rounded: bool = False, **attributes: object
) -> onnx.ModelProto:
    """A convolution of bytes of 12 x 16 pixels, with a bias."""
    random, group = np.random.default_rng(1), int(str(attributes.get("group", 1)))
    pair = (outputs, channels // group) if operator == "Conv" else (channels, outputs)
    arrays = {
        "scale": np.float32(0.02),
        "zero": np.uint8(3),
        "weight": random.integers(-64, 65, (*pair, *kernel)).astype(np.int8),
        "scales": random.uniform(0.001, 0.01, outputs).astype(np.float32),
        "bias": random.normal(0, 1, outputs).astype(np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["image", "scale", "zero"], ["x"]),
        helper.make_node("DequantizeLinear", ["weight", "scales"], ["w"], axis=0 if operator == "Conv" else 1),
        helper.make_node(operator, ["x", "w", "bias"], ["y"], **attributes),
    ]
    if rounded:
        nodes.append(helper.make_node("QuantizeLinear", ["y", "scale", "zero"], ["out"]))
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, channels, 12, 16])],
        [
            helper.make_tensor_value_info(
                "out" if rounded else "y", TensorProto.UINT8 if rounded else TensorProto.FLOAT, None
            )
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model)


def played(model: onnx.ModelProto, path: Path | None = None) -> np.ndarray:
    options = ort.SessionOptions()
    if path is None:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    else:
        options.optimized_model_filepath, options.log_severity_level = str(path), 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    return np.asarray(session.run(None, {"image": image})[0])


@pytest.mark.parametrize(
    ("operator", "channels", "outputs", "kernel", "attributes"),
    [
        ("Conv", 16, 70, (3, 3), {"pads": [1, 1, 1, 1]}),
        ("Conv", 16, 70, (3, 3), {"pads": [0, 0, 1, 1], "strides": [2, 2]}),
        ("Conv", 16, 70, (3, 5), {"pads": [2, 4, 2, 4], "dilations": [2, 2]}),
        ("Conv", 16, 70, (1, 1), {}),
        ("Conv", 3, 8, (9, 9), {"pads": [4, 4, 4, 4]}),  # in blocks of eight pixels
        ("Conv", 3, 8, (4, 4), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("Conv", 3, 8, (3, 3), {"pads": [1, 0, 1, 1]}),  # 15 columns, which no blocks divide
        ("Conv", 16, 12, (5, 5), {"pads": [2, 2, 2, 2]}),  # columns added up
        ("ConvTranspose", 16, 9, (3, 3), {"pads": [0, 0, 1, 1], "strides": [2, 2]}),
        ("ConvTranspose", 16, 9, (3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2], "output_padding": [1, 1]}),
        ("ConvTranspose", 3, 9, (4, 4), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("ConvTranspose", 16, 9, (5, 3), {"pads": [2, 1, 2, 1]}),
        ("ConvTranspose", 16, 9, (2, 2), {"strides": [2, 2]}),
    ],
)
def test_a_product_gives_the_sums_of_the_convolution(
    tmp_path: Path, operator: str, channels: int, outputs: int, kernel: tuple[int, int], attributes: dict[str, object]
) -> None:
    plain = convolution(operator, channels, outputs, kernel, **attributes)
    model = ir.from_proto(plain)
    assert use_integer_products(model) == 1
    assert {node.op_type for node in model.graph} <= set(BESIDE)
    assert set(model.graph.initializers).isdisjoint({"weight", "scales"}), "the file holds the weights once"
    expected, product = played(plain), played(ir.to_proto(model), tmp_path / "optimized.onnx")
    assert product.shape == expected.shape
    assert np.abs(product - expected).max() < 1e-4 * np.abs(expected).max()
    kernels = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert "MatMulIntegerToFloat" in kernels and "MatMul" not in kernels


def test_what_is_rounded_or_grouped_or_odd_stays_a_convolution() -> None:
    for model in (
        convolution("Conv", 16, 16, (3, 3), rounded=True),
        convolution("Conv", 16, 16, (3, 3), group=16),
        convolution("ConvTranspose", 16, 9, (3, 3), strides=[2, 2]),  # 25 rows, not whole groups of two
        convolution("Conv", 16, 16, (3, 3), auto_pad="SAME_UPPER"),
    ):
        assert use_integer_products(ir.from_proto(model)) == 0


def node_of(
    channels: int, outputs: int, size: int, *, operator: str = "Conv", kernel: int = 3, norm: bool = False
) -> ir.Node:
    pair = (outputs, channels) if operator == "Conv" else (channels, outputs)
    weight = ir.val("w", const_value=ir.tensor(np.zeros((*pair, kernel, kernel), np.float32)))
    image = ir.val("x", ir.DataType.FLOAT, (1, channels, size, size))
    node = ir.node(operator, [image, weight], outputs=[ir.val("y", ir.DataType.FLOAT, (1, outputs, size, size))])
    if norm:
        terms = [ir.val(name, ir.DataType.FLOAT, (outputs,)) for name in ("scale", "shift")]
        shuffled = ir.node("DepthToSpace", [node.outputs[0]], outputs=[ir.val("s")])
        ir.node("InstanceNormalization", [shuffled.outputs[0], *terms])
    return node


def test_which_convolutions_become_products() -> None:
    assert is_product(node_of(128, 128, 64))
    assert not is_product(node_of(16, 16, 64)), "rounded, it is as fast"
    assert is_product(node_of(16, 16, 64, norm=True)), "but a norm amplifies the rounding"
    assert is_product(node_of(16, 16, 64, operator="ConvTranspose")), "which has no integer kernel"
    assert not is_product(node_of(64, 64, 256, kernel=7)), "200 MB to gather"
    assert not is_product(node_of(64, 64, 256)) and is_product(node_of(64, 64, 256, norm=True))
