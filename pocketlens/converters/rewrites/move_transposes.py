"""Transposes are moved towards the end of the graph until they meet their inverse."""

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.passes import GraphPass
from pocketlens.converters.rewrites.permute import (
    Order,
    compose,
    data_inputs,
    inverse,
    permute_node,
    result_order,
)


class MoveTransposes(GraphPass):
    """Take out Transposes by computing on what they would transpose, wherever that leaves fewer of them.

    Exact: ``f(Transpose(x)) = Transpose(f'(x))``, where f' is f for an operator that works element by element and else
    f with its axes, pads, scales or lengths put in the other order (:mod:`~pocketlens.converters.rewrites.permute`). So
    a Transpose passes such operators, and one behind another is one of the composed order, which is nothing where they
    undo each other. That is how files that were born in TensorFlow, channels last with Transposes around every
    convolution, become channels first.

    The whole graph is planned first: for each value, in which order it would be held. The plan is carried out only if
    fewer Transposes are left that move anything; a graph where they are as many is left as it is.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Plan for the whole graph, and carry the plan out if it pays."""
        before = sum(node.op_type == "Transpose" and _moves(node) for node in model.graph)
        if not before:
            return ir.passes.PassResult(model, False)
        plan = _plan(model.graph)
        if len(plan.left) >= before:
            return ir.passes.PassResult(model, False)
        _carry_out(model, plan)
        return ir.passes.PassResult(model, True)


@dataclass
class _Plan:
    """Which node computes in which order, and which values must still be transposed."""

    orders: dict[ir.Node, Order] = field(default_factory=dict)
    held: dict[ir.Value, tuple[ir.Value, Order]] = field(default_factory=dict)
    left: set[tuple[ir.Value, Order]] = field(default_factory=set)

    def of(self, value: ir.Value) -> tuple[ir.Value, Order]:
        """The value that is stored in place of a value, and the order of its axes."""
        rank = len(value.shape) if value.shape is not None else 0
        return self.held.get(value, (value, tuple(range(rank))))

    def want(self, value: ir.Value, order: Order) -> None:
        """Note that a node needs this value with its axes in an order."""
        stored, held_order = self.of(value)
        rest = compose(held_order, inverse(order))
        shape = edit.shape_of(value)
        stored_shape = None if shape is None else tuple(shape[place] for place in inverse(held_order))
        if not _is_still(rest, stored_shape) and constant(value) is None:
            self.left.add((stored, rest))


def _is_still(order: Order, shape: tuple[int, ...] | None) -> bool:
    """Whether a Transpose by this order leaves the values in their order."""
    moved = [axis for axis in order if shape is None or shape[axis] != 1]
    return moved == sorted(moved)


def _moves(node: ir.Node) -> bool:
    return not _is_still(_order_of(node), edit.shape_of(node.inputs[0]))


def _order_of(node: ir.Node) -> Order:
    source = node.inputs[0]
    rank = len(source.shape) if source is not None and source.shape is not None else 0
    return hub.ints(node, "perm", tuple(reversed(range(rank))))


def _plan(graph: ir.Graph) -> _Plan:
    plan = _Plan()
    for node in graph:
        source = node.inputs[0] if node.inputs else None
        if node.op_type == "Transpose" and not node.domain and source is not None and source.shape is not None:
            stored, order = plan.of(source)
            plan.held[node.outputs[0]] = (stored, compose(order, _order_of(node)))
            continue
        chosen = _choose(plan, node)
        result = result_order(node, chosen) if chosen is not None else None
        if chosen is None or result is None:
            for value in node.inputs:
                if value is not None:
                    plan.want(value, _plain(value))
            continue
        plan.orders[node] = chosen
        for index in data_inputs(node):
            value = node.inputs[index]
            if value is not None and value.shape is not None and len(value.shape) == len(chosen):
                plan.want(value, chosen)
        for output in node.outputs:
            plan.held[output] = (output, result)
    for value in graph.outputs:
        plan.want(value, _plain(value))
    return plan


def _plain(value: ir.Value) -> Order:
    """The order that leaves a value as it is."""
    return tuple(range(len(value.shape) if value.shape is not None else 0))


def _choose(plan: _Plan, node: ir.Node) -> Order | None:
    """The order that most of the data comes in, if the node can compute in it and it is not the plain one."""
    weights: dict[Order, int] = {}
    shapes = [edit.shape_of(node.inputs[index]) for index in data_inputs(node)]
    output = edit.shape_of(node.outputs[0]) if node.outputs else None
    if output is None or any(shape is None for shape in shapes) or any(_has_graph(a) for a in node.attributes.values()):
        return None
    for index, shape in zip(data_inputs(node), shapes, strict=True):
        value = node.inputs[index]
        assert value is not None and shape is not None
        if constant(value) is None:
            order = plan.of(value)[1]
            weights[order] = weights.get(order, 0) + int(np.prod(shape, dtype=object))
    if not weights:
        return None
    chosen = max(sorted(weights), key=lambda order: weights[order])
    if chosen == tuple(range(len(chosen))) or result_order(node, chosen) is None:
        return None
    rank = max(len(shape) for shape in shapes if shape is not None)
    for index, shape in zip(data_inputs(node), shapes, strict=True):
        assert shape is not None
        # What is of lower rank is broadcast over the first axes; only constants and numbers are given more axes here.
        if len(shape) != len(chosen) and (constant(node.inputs[index]) is None and np.prod(shape) != 1):
            return None
    return chosen if len(chosen) == rank else None


def _has_graph(attribute: ir.Attr) -> bool:
    return attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)


def _carry_out(model: ir.Model, plan: _Plan) -> None:
    transposed: dict[tuple[ir.Value, Order], ir.Value] = {}
    shapes = {value: edit.shape_of(value) for node in model.graph for value in (*node.inputs, *node.outputs) if value}
    outputs = {id(value) for value in model.graph.outputs}

    def held(value: ir.Value, order: Order, before: ir.Node) -> ir.Value:
        """``value`` held in ``order``: what is stored, or a transpose of it."""
        stored, held_order = plan.of(value)
        array = constant(value)
        if array is not None:
            if order == tuple(range(len(order))):
                return value
            padded = array.reshape((1,) * (len(order) - array.ndim) + array.shape)
            turned = np.ascontiguousarray(padded.transpose(inverse(order)))
            return value if array.size == 1 else edit.Editor(model, before).constant(turned, "turned")
        rest = compose(held_order, inverse(order))
        if rest == tuple(range(len(rest))):
            return stored
        if (stored, rest) not in transposed:
            editor = edit.Editor(model, before)
            shape = shapes.get(value)
            assert shape is not None
            target = tuple(shape[place] for place in inverse(order))
            turned_value = editor.add("Transpose", [stored], target, [ir.AttrInt64s("perm", rest)])
            turned_value.type = stored.type
            transposed[stored, rest] = turned_value
        return transposed[stored, rest]

    nodes = tuple(model.graph)
    for node in nodes:
        if node.op_type == "Transpose" and node.outputs[0] in plan.held:
            continue
        chosen = plan.orders.get(node)
        for index in data_inputs(node) if chosen is not None else range(len(node.inputs)):
            value = node.inputs[index]
            if value is None or (shapes.get(value) is None and value not in plan.held):
                continue
            if chosen is not None and len(shapes[value] or ()) != len(chosen) and constant(value) is None:
                continue  # a number: it is broadcast over every axis
            order = chosen if chosen is not None else _plain_of(shapes[value])
            node.replace_input_with(index, held(value, order, node))
        if chosen is not None:
            permute_node(model, node, chosen)
    last = nodes[-1]
    for index, value in enumerate(tuple(model.graph.outputs)):
        if id(value) in outputs and value in plan.held:
            stored, order = plan.held[value]
            if stored is value and order == tuple(range(len(order))):
                continue
            _give(model, index, value, stored, order, last)
    for node in reversed(nodes):
        edit.prune(node)


def _plain_of(shape: tuple[int, ...] | None) -> Order:
    """The order that leaves a value of this shape as it is."""
    return tuple(range(len(shape or ())))


def _give(model: ir.Model, index: int, value: ir.Value, stored: ir.Value, order: Order, last: ir.Node) -> None:
    """Give the graph's output in its own order, under its own name."""
    result = stored
    if order != _plain(value) or stored.is_graph_input() or stored.is_graph_output():
        node = ir.node("Transpose", [stored], {"perm": list(order)}, outputs=[ir.Value(name=None)])
        result = node.outputs[0]
        stored_shape = edit.shape_of(stored)
        result.shape = None if stored_shape is None else ir.Shape([stored_shape[axis] for axis in order])
        result.type = value.type
        model.graph.insert_after(last, node)
    name, value.name = value.name, f"{value.name}_stored"
    model.graph.outputs[index] = result
    result.name = name
