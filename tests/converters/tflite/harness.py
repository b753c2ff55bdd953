"""What tests of TFLite files share: a few ONNX nodes, run in onnxruntime and, through the emitter, in LiteRT."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

from pocketlens.converters import graph as hub
from pocketlens.converters import tflite
from pocketlens.converters.emitter import Labels
from pocketlens.converters.tflite import layout

FEATURES = (1, 8, 12, 16)
"""The shape of the picture that a graph reads: channels, height and width all differ, so that no mix-up goes unseen."""

LABELS = Labels("wave", "1.2", "A wave.", "MIT", "somebody")


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape) + len(shape)).standard_normal(shape).astype(np.float32)


def kernel(*shape: int) -> np.ndarray:
    """Weights of a convolution, small enough that its sums keep the size of its inputs."""
    return floats(*shape) * np.float32(0.2)


def node(operator: str, *inputs: Any, out: Any = "stylized", **attributes: Any) -> tuple[Any, ...]:
    """A node. Inputs are names or constants; without any, the picture."""
    return operator, inputs or ("image",), out, attributes


def model(*nodes: tuple[Any, ...], shape: tuple[int, ...] = FEATURES) -> ir.Model:
    """A graph from ``image`` to ``stylized``, shapes inferred."""
    protos, initializers = [], []
    for i, (operator, inputs, out, attributes) in enumerate(nodes):
        names = []
        for k, value in enumerate(inputs):
            name = value if isinstance(value, str) else f"constant_{i}_{k}"
            if not isinstance(value, str):
                initializers.append(numpy_helper.from_array(np.asarray(value), name))
            names.append(name)
        outputs = [out] if isinstance(out, str) else list(out)
        protos.append(helper.make_node(operator, names, outputs, name=f"{operator.lower()}_{i}", **attributes))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    stylized = helper.make_tensor_value_info("stylized", TensorProto.FLOAT, None)
    graph = helper.make_graph(protos, "graph", [image], [stylized], initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", hub.OPSET)], ir_version=10)
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True))


@dataclass(frozen=True)
class Comparison:
    """What LiteRT computes of a graph, beside onnxruntime.

    ``error`` is the largest difference to onnxruntime, of the largest value where that is above 1; ``operators`` are
    those of the file, and ``partitions`` how many parts of them XNNPACK took.
    """

    error: float
    operators: Counter[str]
    partitions: int


def compare(built: ir.Model, precision: str = "fp32") -> Comparison:
    shape = hub.static_shape(built.graph.inputs[0])
    picture = np.random.default_rng(7).standard_normal(shape).astype(np.float32) * 2
    session = ort.InferenceSession(ir.to_proto(built).SerializeToString(), providers=["CPUExecutionProvider"])
    expected = layout.stored(session.run(None, {"image": picture})[0])
    interpreter = Interpreter(model_content=emit_bytes(built, precision), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ascontiguousarray(layout.stored(picture)))
    interpreter.invoke()
    computed = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert computed.shape == expected.shape
    error = float(np.abs(computed - expected).max() / max(1.0, np.abs(expected).max()))
    operators = interpreter._get_ops_details()
    delegates = sum(o["op_name"] == "DELEGATE" for o in operators)
    counts = Counter(o["op_name"] for o in operators if o["op_name"] != "DELEGATE")
    return Comparison(error, counts, delegates)


def emit_bytes(built: ir.Model, precision: str = "fp32", labels: Labels = LABELS) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        tflite.emit(built, precision, labels, path)
        return path.read_bytes()


def only_refusal(built: ir.Model) -> str:
    """The reason of the only refusal."""
    (refusal,) = tflite.refusals(built)
    return refusal.reason


def assert_exact(*nodes: tuple[Any, ...], precision: str = "fp32", shape: tuple[int, ...] = FEATURES) -> Comparison:
    """Compare, and expect float rounding and one partition: what every operator should be."""
    outcome = compare(model(*nodes, shape=shape), precision)
    assert outcome.error < 2e-6
    assert outcome.partitions == 1
    return outcome
