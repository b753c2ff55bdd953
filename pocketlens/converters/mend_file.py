"""Mends what other tools write wrong into ``.onnx`` files and what can only be meant one way, before it is checked."""

from collections import deque
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

MENDED = "pocketlens.mended"
"""The key of a read model's ``meta`` under which it is said what was mended, a line each."""

_WEIGHTS_ARE_NO_INPUTS = 4
"""The IR version since which weights need not be inputs of the graph."""
_SIZES = {
    "ConstantOfShape": 0, "Expand": 1, "Pad": 1, "ReduceL1": 1, "ReduceL2": 1, "ReduceLogSum": 1, "ReduceLogSumExp": 1,
    "ReduceMax": 1, "ReduceMean": 1, "ReduceMin": 1, "ReduceProd": 1, "ReduceSum": 1, "ReduceSumSquare": 1,
    "Reshape": 1, "Resize": 3, "Split": 1, "Squeeze": 1, "Tile": 1, "TopK": 1, "Unsqueeze": 1,
}  # fmt: skip
"""Operators with an input of sizes, axes or a count that ONNX allows in int64 only, and its place."""


def mend(proto: Any) -> list[str]:
    """Mend a parsed file in place.

    - Nodes that stand before those that they read are put behind them, as converters to half precision leave them.
    - Scales of a Resize or Upsample that are not float32 become float32, the only type that ONNX allows there.
    - Shapes, sizes, paddings and axes that are int32 become int64, for the same reason.
    - Weights that are no inputs of the graph, as an IR version before 4 asks, are taken as newer ones take them.

    Args:
        proto: ``onnx.ModelProto``.

    Returns:
        What was done, in words; empty where nothing was wrong.
    """
    done = []
    if _sort(proto.graph):
        done.append("its nodes were out of order, and were sorted")
    scales = _widen_scales(proto.graph)
    if scales:
        done.append(f"the scales of {scales} Resize nodes were not float32, and were made so")
    sizes = _widen_sizes(proto.graph)
    if sizes:
        done.append(f"the shapes, sizes or axes of {sizes} nodes were int32, and were made int64")
    if 0 < proto.ir_version < _WEIGHTS_ARE_NO_INPUTS:
        inputs = {value.name for value in proto.graph.input}
        if any(tensor.name not in inputs for tensor in proto.graph.initializer):
            proto.ir_version = _WEIGHTS_ARE_NO_INPUTS
    done.extend(_quantization(proto.graph))
    return done


def _quantization(graph: Any) -> list[str]:
    stored = {tensor.name for tensor in graph.initializer}
    weights = sum(node.op_type == "DequantizeLinear" and node.input[0] in stored for node in graph.node)
    return quantization_note(weights, sum(node.op_type == "QuantizeLinear" for node in graph.node))


def quantization_note(weights: int, values: int) -> list[str]:
    """What becomes of a file that another tool has quantized: nothing is mended, and its author should know.

    Args:
        weights: How many of its constants are integers.
        values: How many values it rounds while it plays.

    Returns:
        One sentence, or none where there are neither.
    """
    if not weights and not values:
        return []
    return [
        f"it is quantized already: {weights} weights stay as they were rounded, in float, and its scales round "
        f"{values} values of the picture as before; for int8 of Pocketlens give the float file"
    ]


def _reads(node: Any) -> set[str]:
    """Every name that a node reads, those of its subgraphs included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names |= _reads(inner)
    return names - {""}


def _sort(graph: Any) -> bool:
    """Sort nodes so that each stands behind what it reads; in order among themselves. Circles stay as they are."""
    made = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    before = [{made[name] for name in _reads(node) if name in made} for node in graph.node]
    if all(source < index for index, sources in enumerate(before) for source in sources):
        return False
    readers: list[list[int]] = [[] for _ in before]
    for index, sources in enumerate(before):
        for source in sources:
            readers[source].append(index)
    missing = [len(sources) for sources in before]
    ready, order = deque(index for index, count in enumerate(missing) if not count), []
    while ready:
        index = ready.popleft()
        order.append(index)
        for reader in readers[index]:
            missing[reader] -= 1
            if not missing[reader]:
                ready.append(reader)
    if len(order) < len(before):
        return False  # the checker says that it is a circle
    nodes = [type(graph.node[i]).FromString(graph.node[i].SerializeToString()) for i in order]
    del graph.node[:]
    graph.node.extend(nodes)
    return True


def _widen_scales(graph: Any) -> int:
    from onnx import TensorProto

    def place(node: Any) -> int | None:
        if node.op_type == "Resize" and len(node.input) == 2:
            return 1  # before opset 11 there was no region
        return {"Resize": 2, "Upsample": 1}.get(node.op_type)

    return _widen(graph, place, (TensorProto.FLOAT16, TensorProto.DOUBLE), np.dtype(np.float32))


def _widen_sizes(graph: Any) -> int:
    from onnx import TensorProto

    return _widen(graph, lambda node: _SIZES.get(node.op_type), (TensorProto.INT32,), np.dtype(np.int64))


def _widen(graph: Any, place: Callable[[Any], int | None], narrow: Collection[int], wide: np.dtype[Any]) -> int:
    """Store the constants that nodes read at a place in a wider type; how many nodes did."""
    from onnx import TensorProto, numpy_helper

    stored = {t.name: t for t in graph.initializer if t.data_type in narrow}
    widened: dict[str, str] = {}
    count = 0
    for node in graph.node:
        index = None if node.domain else place(node)
        name = node.input[index] if index is not None and len(node.input) > index else ""
        if name not in stored or stored[name].data_location == TensorProto.EXTERNAL:
            continue
        if name not in widened:
            widened[name] = f"{name}_{wide.name}"
            array = numpy_helper.to_array(stored[name]).astype(wide)
            graph.initializer.append(numpy_helper.from_array(array, widened[name]))
        node.input[index] = widened[name]
        count += 1
    return count
