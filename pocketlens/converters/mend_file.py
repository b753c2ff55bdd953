"""Mends what other tools write wrong into ``.onnx`` files and what can only be meant one way, before it is checked."""

from collections import deque
from typing import Any

import numpy as np

MENDED = "pocketlens.mended"
"""The key of a read model's ``meta`` under which it is said what was mended, a line each."""


def mend(proto: Any) -> list[str]:
    """Mend a parsed file in place.

    - Nodes that stand before those that they read are put behind them, as converters to half precision leave them.
    - Scales of a Resize or Upsample that are not float32 become float32, the only type that ONNX allows there.

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
    from onnx import TensorProto, numpy_helper

    narrow = {t.name: t for t in graph.initializer if t.data_type in (TensorProto.FLOAT16, TensorProto.DOUBLE)}
    wide: dict[str, str] = {}
    count = 0
    for node in graph.node:
        place = {"Resize": 2, "Upsample": 1}.get(node.op_type, len(node.input))
        if node.op_type == "Resize" and len(node.input) == 2:
            place = 1  # before opset 11 there was no region
        name = node.input[place] if len(node.input) > place else ""
        if node.domain or name not in narrow or narrow[name].data_location == TensorProto.EXTERNAL:
            continue
        if name not in wide:
            wide[name] = f"{name}_float32"
            array = numpy_helper.to_array(narrow[name]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(array, wide[name]))
        node.input[place] = wide[name]
        count += 1
    return count
