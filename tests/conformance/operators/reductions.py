"""Reductions over axes."""

from typing import Any

from tests.conformance.draws import Case, Draw, chosen, integer, line, operator, place, shape, st

_KINDS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")
_OTHERS = ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd")


@operator(*_KINDS, *_OTHERS)
def reduce(draw: Draw, name: str) -> Case:
    where = place(draw)
    how = chosen(draw, "kept", "kept", "dropped", "none given")
    if how == "none given":
        if draw(st.booleans()):
            return Case(f"{line('r', name, 'x', noop_with_empty_axes=1)}\ny = Relu(r)", {}, where)
        return Case(f"{line('r', name, 'x')}\ny = Sub(x, r)", {}, where)
    gone = sorted(draw(st.sets(st.integers(1, 3), min_size=1)))
    named = draw(st.permutations([axis - 4 if draw(st.booleans()) else axis for axis in gone]))
    constants: dict[str, Any] = {"axes": tuple(named)}
    if how == "kept":
        tail = chosen(draw, "y = Sub(x, r)", "y = Identity(r)")
        return Case(f"{line('r', name, 'x, axes')}\n{tail}", constants, where)
    kept = tuple(1 if axis in gone else n for axis, n in enumerate(shape(where)))
    if draw(st.booleans()):
        constants["back"] = kept
        tail = "u = Reshape(r, back)\ny = Sub(x, u)"
    else:
        constants["places"] = tuple(gone)
        tail = "u = Unsqueeze(r, places)\ny = Sub(x, u)"
    return Case(f"{line('r', name, 'x, axes', keepdims=0)}\n{tail}", constants, where)


@operator("ReduceLogSum")
def log_sum(draw: Draw) -> Case:
    """Of what is above zero, so that it has a logarithm."""
    where = place(draw)
    gone = tuple(sorted(draw(st.sets(st.integers(1, 3), min_size=1))))
    nodes = "h = Sigmoid(x)\nr = ReduceLogSum(h, axes)\ny = Sub(x, r)"
    return Case(nodes, {"axes": gone}, where)


@operator("ArgMax", "ArgMin", "CumSum")
def along(draw: Draw, name: str) -> Case:
    """What generators seldom do, and no emitter of ours promises."""
    where = place(draw, exact=True)
    if name == "CumSum":
        return Case("y = CumSum(x, axis)", {"axis": integer(draw, 1, 3)}, where)
    return Case(f"{line('r', name, 'x', axis=integer(draw, 1, 3))}\ny = Cast <to = 1> (r)", {}, where)
