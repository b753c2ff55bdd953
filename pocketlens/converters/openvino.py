"""The ``openvino`` target: an IR (``.xml`` with its ``.bin``), read from the graph by OpenVINO's own ONNX frontend."""

import io
from pathlib import Path
from typing import Any

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, Refusal
from pocketlens.converters.openvino_forms import computed_otherwise, say_otherwise
from pocketlens.converters.openvino_weights import compress
from pocketlens.converters.quantization.pixels import take_bytes


def refusals(model: ir.Model) -> list[Refusal]:
    """Nodes that the frontend leaves unconverted, and those that it converts to something else without a word."""
    from openvino.frontend import FrontEndManager

    frontend = FrontEndManager().load_by_framework("onnx")
    partly = frontend.convert_partially(frontend.load(_stream(model)))
    makers = {str(value.name): node for node in model.graph for value in node.outputs}
    found = [
        Refusal("openvino", node.op_type, str(node.name), reason)
        for node in model.graph
        if (reason := computed_otherwise(node))
    ]
    for left in partly.get_ordered_ops():
        if left.get_type_name() in ("NotSupportedONNXNode", "ONNXFrameworkNode"):
            attributes = left.get_attributes()
            node = makers.get(left.get_friendly_name())
            name = str(node.name) if node is not None else left.get_friendly_name()
            reason = attributes.get("ONNX_META_error_message") or "OpenVINO has no conversion for it"
            found.append(Refusal("openvino", str(attributes.get("ONNX_META_type", "operator")), name, str(reason)))
    return found


def converted(operators: list[str]) -> set[str]:
    """Those of some standard ONNX operators that the frontend has a rule for; a rule may still refuse a node."""
    from onnx import TensorProto, defs, helper
    from openvino.frontend import FrontEndManager, OpConversionFailure

    frontend = FrontEndManager().load_by_framework("onnx")
    known = set()
    for operator in operators:
        schema = defs.get_schema(operator, hub.OPSET)
        names = [f"in_{i}" for i in range(schema.min_input)]
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in names]
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
        outs = ["out", *(f"out_{i}" for i in range(1, schema.min_output))]
        graph = helper.make_graph([helper.make_node(operator, names, outs)], "probe", values, [out])
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", hub.OPSET)], ir_version=10)
        try:
            frontend.convert(frontend.load(io.BytesIO(proto.SerializeToString())))
        except OpConversionFailure as error:  # a rule that does not like these inputs is a rule as well
            if "No conversion rule found" in str(error):
                continue
        known.add(operator)
    return known


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write ``path`` (``.xml``) and the ``.bin`` beside it: ``[1, 3, H, W]`` in and out, RGB 0..255, ``uint8`` for ``int8``, else
    ``float32``.

    ``fp16`` stores the weights as float16, ``w8`` those that the graph codes as int8 with their scales; the device's plugin
    chooses the arithmetic.
    """
    import openvino as ov

    from pocketlens.runtimes.openvino import core

    if precision == "int8":
        model = take_bytes(model)
    network = core().read_model(_stream(model).getvalue())
    for key, text in (
        ("name", labels.name),
        ("version", labels.version),
        ("description", labels.description),
        ("license", labels.license),
        ("author", labels.author),
    ):
        network.set_rt_info(text, ["pocketlens", key])
    if precision != "int8":  # it would fold the weights' integers into floats, and convolutions with them
        _fold(network)
    if precision == "w8":
        compress(network, model)
    _name(network, labels.name)
    ov.save_model(network, path, compress_to_fp16=precision == "fp16")


def _fold(network: Any) -> None:
    """Fold the shape arithmetic that fixed sizes make constant."""
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(network)


def _name(network: Any, name: str) -> None:
    """Name nodes by their place.

    OpenVINO numbers the nodes that it makes with a counter of the whole process, so that the same graph would give other
    bytes the second time.
    """
    network.set_friendly_name(name)
    for index, node in enumerate(network.get_ordered_ops()):
        kind = node.get_type_name()
        if kind not in ("Parameter", "Result"):
            node.set_friendly_name(f"{kind}_{index}")


def _stream(model: ir.Model) -> io.BytesIO:
    return io.BytesIO(ir.to_proto(say_otherwise(model)).SerializeToString(deterministic=True))
