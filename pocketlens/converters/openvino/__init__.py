"""The ``openvino`` target: an IR (``.xml`` with its ``.bin``), read from the graph by OpenVINO's own ONNX frontend."""

import io
import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, LoweredOperators, Refusal
from pocketlens.converters.float_steps import round_in_floats
from pocketlens.converters.openvino.weights import store_int8
from pocketlens.converters.openvino.workarounds import apply_workarounds, computes_something_else
from pocketlens.converters.opset import standard_operators
from pocketlens.converters.quantization.pixels import use_uint8_pixels
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.spread_constants import LARGE


def refusals(model: ir.Model) -> list[Refusal]:
    """Nodes that the frontend leaves unconverted, and those for which OpenVINO would compute something else."""
    from openvino.frontend import FrontEndManager

    frontend = FrontEndManager().load_by_framework("onnx")
    partly_converted = frontend.convert_partially(frontend.load(_stream(model)))
    producers = {str(value.name): node for node in model.graph for value in node.outputs}
    producers |= {node.name: node for node in model.graph if node.name}
    refused = [
        Refusal("openvino", node.op_type, str(node.name), reason)
        for node in model.graph
        if (reason := computes_something_else(node))
    ]
    operations = partly_converted.get_ordered_ops()
    unconverted = [op for op in operations if op.get_type_name() in ("NotSupportedONNXNode", "ONNXFrameworkNode")]
    misread = misread_nodes(operations, producers) if unconverted else {}
    refused += [Refusal("openvino", node.op_type, str(node.name), reason) for node, reason in misread.items()]
    left = [node for operation in unconverted if (node := producers.get(operation.get_friendly_name())) is not None]
    for operation in unconverted:
        attributes = operation.get_attributes()
        node = producers.get(operation.get_friendly_name())
        reason = attributes.get("ONNX_META_error_message")
        if not reason and node is not None and _comes_after(node, misread):
            continue  # it could be converted, if it got what it expects
        if not reason and node is not None and _comes_after(node, left) and frontend_operators([node.op_type]):
            continue  # the same: what it reads was not converted
        name = str(node.name) if node is not None else operation.get_friendly_name()
        operator = str(attributes.get("ONNX_META_type", "operator"))
        refused.append(Refusal("openvino", operator, name, str(reason or "OpenVINO has no conversion for it")))
    return refused


def misread_nodes(operations: Iterable[Any], producers: Mapping[str, ir.Node]) -> dict[ir.Node, str]:
    """The first nodes that OpenVINO takes for something of another shape, and the reason in words.

    What follows such a node cannot be converted either, and is not to blame.

    Args:
        operations: What OpenVINO made of the graph, in order; each is named like its node, or the value that it gives.
        producers: The graph's node for each of these names.
    """
    misread: dict[ir.Node, str] = {}
    for operation in operations:
        constant = operation.get_type_name() == "Constant"  # which may have the name of the node that reads it
        node = None if constant else producers.get(operation.get_friendly_name())
        if node is None or len(node.outputs) != 1 or operation.get_output_size() != 1 or _comes_after(node, misread):
            continue
        found, expected = operation.get_output_partial_shape(0), edit.shape_of(node.outputs[0])
        if expected and found.is_static and tuple(found.to_shape()) != expected:
            misread[node] = f"OpenVINO gives it the shape {list(found.to_shape())}, ONNX {list(expected)}"
    return misread


def _comes_after(node: ir.Node, others: Collection[ir.Node]) -> bool:
    """Whether a node reads, directly or not, what one of the others gives."""
    waiting, seen = [node] if others else [], set()
    while waiting:
        for value in waiting.pop().inputs:
            producer = value.producer() if value is not None else None
            if producer is not None and producer not in seen:
                if producer in others:
                    return True
                seen.add(producer)
                waiting.append(producer)
    return False


def as_read(model: ir.Model) -> ir.Model:
    """The graph as OpenVINO's ONNX frontend gets it; an ``.xml`` numbers its nodes, here they keep their names."""
    return apply_workarounds(model)


def emit(model: ir.Model, precision: str, labels: Labels, path: Path) -> None:
    """Write ``path`` (``.xml``) and the ``.bin`` beside it: ``[1, 3, H, W]`` in and out, RGB 0..255, ``uint8`` for
    ``int8``, else ``float32``.

    ``fp16`` stores the weights as float16, ``w8`` those that the graph quantizes as int8 with their scales; the
    device's plugin chooses the arithmetic.
    """
    import openvino as ov

    from pocketlens.runtimes.openvino import core

    model = use_uint8_pixels(model) if precision == "int8" else round_in_floats(model)
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
        _fold_constants(network)
    if precision == "w8":
        store_int8(network, model)
    _rename_nodes(network, labels.name)
    ov.save_model(network, path, compress_to_fp16=precision == "fp16")


def lowered_operators() -> LoweredOperators:
    """The operators that the frontend has a rule for."""
    return LoweredOperators(
        dict.fromkeys(frontend_operators(standard_operators()), ""),
        "takes what OpenVINO's own ONNX reader has a rule for. A rule may refuse attributes; then the refusal names the"
        " node and says why.",
    )


def frontend_operators(operators: list[str]) -> list[str]:
    """Those of some standard ONNX operators that the frontend has a rule for; a rule may still refuse a node."""
    from onnx import TensorProto, defs, helper
    from openvino.frontend import FrontEndManager, OpConversionFailure

    frontend = FrontEndManager().load_by_framework("onnx")
    known = []
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
        except OpConversionFailure as error:  # a rule that refuses these inputs is a rule as well
            if "No conversion rule found" in str(error):
                continue
        known.append(operator)
    return known


def _fold_constants(network: Any) -> None:
    """Fold the shape arithmetic that fixed sizes make constant, but not what spreads few numbers over the picture."""
    from openvino import opset1
    from openvino.passes import ConstantFolding, Manager

    held = []
    for node in network.get_ordered_ops():
        if node.get_type_name() != "Broadcast" or math.prod(node.output(0).get_shape()) < LARGE:
            continue
        numbers = node.input_value(0)
        if numbers.get_node().get_type_name() == "Constant":
            # Only what depends on an input is left as it is.
            standing = opset1.parameter(list(numbers.get_shape()), numbers.get_element_type())
            node.input(0).replace_source_output(standing.output(0))
            network.add_parameters([standing])
            held.append((node, numbers, standing))
    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(network)
    for node, numbers, standing in held:
        node.input(0).replace_source_output(numbers)
        network.remove_parameter(standing)


def _rename_nodes(network: Any, name: str) -> None:
    """Name nodes by their place.

    OpenVINO numbers the nodes that it makes with a counter of the whole process, so that the same graph would give
    other bytes the second time.
    """
    network.set_friendly_name(name)
    for index, node in enumerate(network.get_ordered_ops()):
        kind = node.get_type_name()
        if kind not in ("Parameter", "Result"):
            node.set_friendly_name(f"{kind}_{index}")


def _stream(model: ir.Model) -> io.BytesIO:
    return io.BytesIO(ir.to_proto(apply_workarounds(model)).SerializeToString(deterministic=True))
