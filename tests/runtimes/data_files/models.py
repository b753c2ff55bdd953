"""Models that keep values in other files, one for each place in a format that can name one."""

from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import AttributeProto, FunctionProto, ModelProto, TensorProto, TrainingInfoProto, helper

SHAPE = [1, 3, 48, 64]
"""As the bundles of the tests."""
WEIGHTS = np.array([0.5, 1, 2], "f4").tobytes()


def external(location: str) -> TensorProto:
    """Three floats in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 3, 1, 1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "12"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def _model(nodes: list, initializers: list = [], **more: object) -> ModelProto:  # noqa: B006
    ends = [helper.make_tensor_value_info(name, 1, SHAPE) for name in ("image", "stylized")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10, **more)


MULTIPLY = helper.make_node("Mul", ["image", "w"], ["stylized"])


def initializer(location: str) -> ModelProto:
    return _model([MULTIPLY], [external(location)])


def constant(location: str) -> ModelProto:
    return _model([helper.make_node("Constant", [], ["w"], value=external(location)), MULTIPLY])


def sparse(location: str) -> ModelProto:
    model = _model([MULTIPLY])
    model.graph.sparse_initializer.add(dims=[1, 3, 1, 1]).values.CopyFrom(external(location))
    return model


def subgraph(location: str) -> ModelProto:
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["w"], value=external(location))],
        "inner",
        [],
        [helper.make_tensor_value_info("w", 1, [1, 3, 1, 1])],
    )
    return _model([helper.make_node("If", ["c"], ["w"], then_branch=inner, else_branch=inner), MULTIPLY])


def function(location: str) -> ModelProto:
    nodes = [helper.make_node("Constant", [], ["w"], value=external(location)), MULTIPLY]
    body = FunctionProto(name="F", domain="own", input=["image"], output=["stylized"], node=nodes)
    return _model([helper.make_node("F", ["image"], ["stylized"], domain="own")], functions=[body])


def default(location: str) -> ModelProto:
    attribute = AttributeProto(name="value", type=AttributeProto.TENSOR, t=external(location))
    return _model([MULTIPLY], functions=[FunctionProto(name="F", domain="own", attribute_proto=[attribute])])


def training(location: str) -> ModelProto:
    model = _model([MULTIPLY])
    step = TrainingInfoProto()
    step.algorithm.initializer.append(external(location))
    model.training_info.append(step)
    return model


def unflagged(location: str) -> ModelProto:
    """The entries alone, without the flag that says that they count."""
    tensor = external(location)
    tensor.ClearField("data_location")
    return _model([MULTIPLY], [tensor])


def context(location: str) -> ModelProto:
    """A compiled context of an NPU in a file of its own."""
    node = helper.make_node(
        "EPContext", ["image"], ["stylized"], domain="com.microsoft", embed_mode=0, ep_cache_context=location
    )
    return _model([node])


ONNX: dict[str, Callable[[str], ModelProto]] = {
    maker.__name__: maker
    for maker in (initializer, constant, sparse, subgraph, function, default, training, unflagged, context)
}


def lite(location: str) -> bytes:
    """An empty ``.tflite`` with one group of external buffers."""
    model, group = schema.ModelT(), schema.ExternalBufferGroupT()
    group.name = location
    model.version, model.externalBufferGroups = 3, [group]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def ir(folder: Path, name: str) -> None:
    """An OpenVINO IR under any name, with the ``.bin`` that its weights lie in."""
    import openvino as ov

    (folder / "plain.onnx").write_bytes(_model([MULTIPLY], [_weights()]).SerializeToString())
    ov.save_model(ov.convert_model(folder / "plain.onnx"), folder / "ir.xml", compress_to_fp16=False)
    (folder / "ir.xml").rename(folder / name)
    (folder / "ir.bin").rename((folder / name).with_suffix(".bin"))
    (folder / "plain.onnx").unlink()


def _weights() -> TensorProto:
    return helper.make_tensor("w", TensorProto.FLOAT, [1, 3, 1, 1], WEIGHTS, raw=True)
