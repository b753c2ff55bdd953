"""Merges of neighbouring operators: the same values, one pass over memory less."""

import numpy as np

from pocketlens.converters.tflite.builder import Operator, Tensor, TFLiteBuilder

_ACTIVATIONS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
"""Functions that another operator can apply to its own output, with their number in the schema."""

_WITH_ACTIVATION = {
    "ADD",
    "SUB",
    "MUL",
    "DIV",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
    "FULLY_CONNECTED",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
}
_COMBINE = {"MUL": np.multiply, "ADD": np.add}


def fuse(builder: TFLiteBuilder, outputs: list[Tensor]) -> list[Operator]:
    """The builder's operators after all merges, without those that no output needs."""
    operators = _needed(builder.operators, outputs)
    _merge_channel_constants(builder, operators, outputs)
    _merge_activations(operators, outputs)
    return operators


def _needed(operators: list[Operator], outputs: list[Tensor]) -> list[Operator]:
    read = {id(tensor) for tensor in outputs}
    needed = []
    for operator in reversed(operators):
        if any(id(t) in read for t in operator.outputs):
            needed.append(operator)
            read.update(id(t) for t in operator.inputs)
    return needed[::-1]


def _readers(operators: list[Operator]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for operator in operators:
        for tensor in operator.inputs:
            counts[id(tensor)] = counts.get(id(tensor), 0) + 1
    return counts


def _merge_activations(operators: list[Operator], outputs: list[Tensor]) -> None:
    """Let a convolution or sum clamp its own output."""
    readers = _readers(operators)
    producers = {id(t): op for op in operators for t in op.outputs}
    for operator in tuple(operators):
        if operator.code not in _ACTIVATIONS:
            continue
        (x,), (clamped,) = operator.inputs, operator.outputs
        producer = producers.get(id(x))
        if producer is None or producer.code not in _WITH_ACTIVATION or "fusedActivationFunction" in producer.options:
            continue
        if readers[id(x)] != 1 or any(x is output for output in outputs):
            continue
        producer.options["fusedActivationFunction"] = _ACTIVATIONS[operator.code]
        if producer.code == "TRANSPOSE_CONV":
            producer.version = 4
        producer.outputs = [clamped]
        producers[id(clamped)] = producer
        operators.remove(operator)


def _merge_channel_constants(builder: TFLiteBuilder, operators: list[Operator], outputs: list[Tensor]) -> None:
    """``(x * a) * b`` becomes ``x * (a * b)`` where a and b are one number a channel; the same for sums.

    A group norm ends so: its own factor, then the affine layer's.
    """
    readers = _readers(operators)
    producers = {id(t): op for op in operators for t in op.outputs}
    for outer in tuple(operators):
        if outer.code not in _COMBINE:
            continue
        for x, b in (outer.inputs, outer.inputs[::-1]):
            inner = producers.get(id(x))
            if inner is None or inner.code != outer.code or readers[id(x)] != 1 or not _is_small(b) or x in outputs:
                continue
            big, a = sorted(inner.inputs, key=_is_small)
            if _is_small(big) or not _is_small(a):
                continue
            inner.inputs, inner.outputs = [a, b], [_combined(builder, outer.code, a, b)]
            outer.inputs = [big, inner.outputs[0]]
            operators.remove(inner)
            if inner.outputs[0].data is None:
                operators.insert(operators.index(outer), inner)
            break


def _is_small(tensor: Tensor) -> bool:
    return all(n == 1 for n in tensor.shape[:-1]) and len(tensor.shape) in (1, 4)


def _combined(builder: TFLiteBuilder, code: str, a: Tensor, b: Tensor) -> Tensor:
    name = f"{b.name}/merged"
    if a.data is not None and b.data is not None:
        return builder.constant(_COMBINE[code](a.data, b.data), name)
    return Tensor(name, tuple(np.broadcast_shapes(a.shape, b.shape)))
