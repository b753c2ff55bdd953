"""Small graphs for tests, and what onnxruntime makes of them."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnx_ir.passes import common


def run(model: ir.Model, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """A graph's outputs in onnxruntime, which optimizes nothing."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
    result: list[np.ndarray] = session.run(None, feeds)
    return result


@dataclass
class GraphBuilder:
    """A graph under construction: ``x`` in, the last value out."""

    shape: tuple[int, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        self.nodes: list[object] = []
        self.tensors: list[object] = []
        self.rng = np.random.default_rng(self.seed)
        self.last = "x"

    def array(self, array: object, dtype: type = np.float32) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.array(values, np.int64)

    def random(self, *shape: int) -> str:
        return self.array(self.rng.uniform(0.5, 1.5, shape) * self.rng.choice([-1, 1], shape))

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        self.last = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [self.last], f"n{len(self.nodes)}", **attributes))
        return self.last

    def model(self, *extra_outputs: str) -> ir.Model:
        given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)]
        taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (self.last, *extra_outputs)]
        graph = helper.make_graph(self.nodes, "g", given, taken, self.tensors)
        model: ir.Model = ir.from_proto(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        )
        common.ShapeInferencePass()(model)
        return model
