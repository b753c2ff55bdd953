"""Base classes of this package's passes: in-place passes of onnx_ir with preconditions and postconditions."""

import abc
from typing import ClassVar

import onnx_ir as ir

from pocketlens.converters import graph as hub


class GraphPass(ir.passes.InPlacePass):
    """A pass on the graph.

    It requires operators as opset :data:`~pocketlens.converters.graph.OPSET` defines them, or a later one, and ensures
    that every value which a node reads afterwards is in the graph.
    """

    def requires(self, model: ir.Model) -> None:
        """Check the operator set.

        Raises:
            PreconditionError: It is older: there, for instance, axes are attributes and no inputs.
        """
        version = model.opset_imports.get("", hub.OPSET)
        if version < hub.OPSET:
            raise ir.passes.PreconditionError(f"the graph has opset {version}, expected {hub.OPSET} or later")

    def ensures(self, model: ir.Model) -> None:
        """Check that every value which is read is an input, a constant, or computed by a node of the graph.

        Raises:
            PostconditionError: One is not: its node was removed although somebody reads it.
        """
        graph = model.graph
        known = {*graph.inputs, *graph.initializers.values(), *(value for node in graph for value in node.outputs)}
        for node in graph:
            for value in node.inputs:
                if value is not None and value not in known:
                    raise ir.passes.PostconditionError(
                        f"{node.op_type} {node.name!r} reads {value.name!r}, which is lost"
                    )
        for value in graph.outputs:
            if value not in known:
                raise ir.passes.PostconditionError(f"the graph's output {value.name!r} is lost")


class NodePass(GraphPass):
    """A pass that visits the nodes of the start, one after the other; those that were removed meanwhile are skipped.

    Attributes:
        operators: The standard operators that it looks at; empty for all of them.
        backwards: Whether it begins with the last node.
    """

    operators: ClassVar[tuple[str, ...]] = ()
    backwards: ClassVar[bool] = False

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every place where it applies."""
        modified = False
        nodes = tuple(model.graph)
        for node in reversed(nodes) if self.backwards else nodes:
            is_there = node.graph is not None and not node.domain
            if is_there and (not self.operators or node.op_type in self.operators):
                modified |= self.rewrite(model, node)
        return ir.passes.PassResult(model, modified)

    @abc.abstractmethod
    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        """Rewrite the graph in place where the pass applies to a node, and say whether it did."""


def run(passes: ir.passes.PassBase, model: ir.Model) -> bool:
    """Run passes in place, and say whether they changed anything.

    A manager of passes raises a PassError of its own around whatever a pass raises; here the pass's own error is
    raised.
    """
    try:
        return passes(model).modified
    except ir.passes.PassError as error:
        own: BaseException = error
        while isinstance(own, ir.passes.PassError) and own.__cause__ is not None:
            own = own.__cause__
    raise own
