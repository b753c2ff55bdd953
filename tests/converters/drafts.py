"""Small graphs for the passes, and what every pass must keep."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_ir.passes import common

from tests.converters.foreign import run

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]
quick = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Draft:
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


def values(model: ir.Model) -> list[np.ndarray]:
    shape = [int(d) for d in model.graph.inputs[0].shape]  # type: ignore[union-attr,arg-type]
    return run(model, {"x": np.random.default_rng(9).standard_normal(shape).astype(np.float32)})


EXACT = 100.0
"""Least PSNR, in dB, of what a pass leaves; the peak is the largest value that there was before."""


def close(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """The same values to float rounding."""
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        wide = b.astype(np.float64)
        error, peak = np.sqrt(((a - wide) ** 2).mean()), max(np.abs(wide).max(), 1e-3)
        decibels = 20 * np.log10(peak / max(error, 1e-12 * peak))
        assert decibels >= EXACT, f"{decibels:.1f} dB"


def exact(model: ir.Model, *passes: type[ir.passes.InPlacePass], applies: bool = True) -> Counter[str]:
    """Check that passes keep the values and are done after one go; the operators that are left."""
    before = values(model)
    names = [v.name for v in model.graph.outputs]
    changed = [kind()(model).modified for kind in passes]
    assert any(changed) == applies
    common.ShapeInferencePass()(model)
    assert [v.name for v in model.graph.outputs] == names
    close(values(model), before)
    assert not any(kind()(model).modified for kind in passes)
    return Counter(node.op_type for node in model.graph)


channel = st.sampled_from([(), (1,), (4, 1, 1), (1, 4, 1, 1), (1, 1, 1)])
steps = st.lists(
    st.tuples(st.sampled_from(["Mul", "Add", "Sub", "Div", "rSub", "Neg", "Batch"]), channel), min_size=1, max_size=4
)


def affines(draft: Draft, chosen: Iterable[tuple[str, tuple[int, ...]]]) -> None:
    for op, shape in chosen:
        if op == "Neg":
            draft.add("Neg", draft.last)
        elif op == "Batch":
            terms = [draft.random(4), draft.random(4), draft.random(4), draft.array(draft.rng.uniform(0.5, 2, 4))]
            draft.add("BatchNormalization", draft.last, *terms)
        elif op == "rSub":
            draft.add("Sub", draft.random(*shape), draft.last)
        else:
            draft.add(op, draft.last, draft.random(*shape))


def norm(draft: Draft, way: str, axes: tuple[int, ...], x: str) -> str:
    over = draft.ints(*axes)
    epsilon = draft.array(1e-3)
    mean = draft.add("GlobalAveragePool", x) if axes == (2, 3) and way == "pool" else draft.add("ReduceMean", x, over)
    d = draft.add("Sub", x, mean)
    if way == "moments":
        squares = draft.add("ReduceMean", draft.add("Mul", x, x), over)
        variance = draft.add("Sub", squares, draft.add("Mul", mean, mean))
    else:
        square = draft.add("Pow", d, draft.array(2)) if way == "pow" else draft.add("Mul", d, d)
        variance = draft.add("ReduceMean", square, over)
    if way == "unbiased":
        variance = draft.add("Mul", variance, draft.array(42 / 41))
    total = draft.add("Add", epsilon, variance)
    if way == "power":
        return draft.add("Mul", d, draft.add("Pow", total, draft.array(-0.5)))
    root = draft.add("Sqrt", total)
    if way == "one over":
        return draft.add("Mul", draft.add("Div", draft.array(1), root), d)
    if way == "reciprocal":
        return draft.add("Mul", draft.add("Mul", d, draft.random(4, 1, 1)), draft.add("Reciprocal", root))
    if way == "multiplied out":
        factor = draft.add("Mul", draft.add("Reciprocal", root), draft.random(4, 1, 1))
        rest = draft.add("Sub", draft.random(4, 1, 1), draft.add("Mul", factor, mean))
        return draft.add("Add", rest, draft.add("Mul", x, factor))
    return draft.add("Div", d, root)
