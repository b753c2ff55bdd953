"""What passes require and ensure, and which error reaches the caller."""

import onnx_ir as ir
import pytest

from pocketlens.converters.rewrites.fold_affine_after import FoldAffineAfter
from pocketlens.converters.rewrites.passes import NodePass, run
from pocketlens.converters.rewrites.widen_floats import WidenFloats
from pocketlens.errors import InputError
from tests.converters.graph_builder import GraphBuilder


def _model() -> ir.Model:
    builder = GraphBuilder((1, 4, 6, 7))
    builder.add("Tanh", builder.add("Relu", "x"))
    return builder.model()


class RemoveRelu(NodePass):
    operators = ("Relu",)

    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        model.graph.remove(node)
        return True


class Refuse(NodePass):
    def rewrite(self, model: ir.Model, node: ir.Node) -> bool:
        raise InputError(f"{node.op_type} cannot be", do="leave it out")


def test_an_older_operator_set_is_no_graph() -> None:
    model = _model()
    model.graph.opset_imports[""] = 13
    with pytest.raises(ir.passes.PreconditionError, match="opset 13, expected 20"):
        FoldAffineAfter()(model)


def test_a_node_that_somebody_reads_may_not_go() -> None:
    with pytest.raises(ir.passes.PostconditionError, match="Tanh 'n1' reads 'v0'"):
        RemoveRelu()(_model())


def test_every_value_is_float32_afterwards() -> None:
    model = _model()
    model.graph.inputs[0].dtype = ir.DataType.FLOAT16
    assert run(WidenFloats(), model) and not run(WidenFloats(), model)
    assert model.graph.inputs[0].dtype == ir.DataType.FLOAT


def test_the_error_of_a_pass_reaches_whoever_runs_many() -> None:
    passes = ir.passes.PassManager([ir.passes.PassManager([FoldAffineAfter(), Refuse()], steps=2)], steps=2)
    with pytest.raises(InputError, match="Relu cannot be"):
        run(passes, _model())
