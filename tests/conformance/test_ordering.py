"""Places, orders and running sums, which two targets express by operators of their own: every axis and attribute."""

import pytest

from tests.conformance.case import Case, Place, Weights
from tests.conformance.check import Outcome, check

_PLACE, _SMALL = Place(4, 3, 5, "Conv"), Place(3, 2, 3, "Conv")
_FLOATS = "\ny = Cast <to = 1> (r)"
CASES = {
    **{
        f"{operator} axis {axis}, {'kept' if keep else 'dropped'}": Case(
            f"r = {operator} <axis = {axis}, keepdims = 1> (x){_FLOATS}"
            if keep
            else f"i = {operator} <axis = {axis}, keepdims = 0> (x)\nr = Unsqueeze(i, back){_FLOATS}",
            {} if keep else {"back": (axis % 4,)},
            _PLACE,
        )
        for operator in ("ArgMax", "ArgMin")
        for axis in (1, 2, -1)
        for keep in (True, False)
    },
    **{
        f"CumSum axis {axis}, {options}": Case(f"y = CumSum <{options}> (x, axis)", {"axis": axis}, _PLACE)
        for axis in (1, -2, 3)
        for options in ("exclusive = 0", "exclusive = 1", "reverse = 1", "exclusive = 1, reverse = 1")
    },
    **{
        f"TopK axis {axis}, {'largest' if largest else 'smallest'}": Case(
            f"y, i = TopK <axis = {axis}, largest = {largest}> (x, k)", {"k": (2,)}, _PLACE
        )
        for axis in (1, 2, -1)
        for largest in (0, 1)
    },
    "places of TopK": Case(f"v, r = TopK <axis = 2> (x, k){_FLOATS}", {"k": (3,)}, _PLACE),
    **{
        f"ReduceProd over {axes}": Case("r = ReduceProd(x, axes)\ny = Sub(x, r)", {"axes": axes}, _SMALL)
        for axes in ((1,), (2, 3), (-1,))
    },
    **{
        f"AffineGrid, corners {corners}": Case(
            "m = ReduceMean(x, axes)\nt = Reshape(m, to)\ntheta = MatMul(w, t)\n"
            f"g = AffineGrid <align_corners = {corners}> (theta, size)\ny = Transpose <perm = [0, 3, 1, 2]> (g)",
            {"axes": (2, 3), "to": (1, 1, 3), "w": Weights((1, 2, 1)), "size": (1, 3, 4, 5)},
            Place(3, 4, 5, "Conv"),
        )
        for corners in (0, 1)
    },
}


@pytest.mark.parametrize("target", ["tflite", "coreml"])
@pytest.mark.parametrize("name", CASES)
def test_it_is_expressed_and_right(name: str, target: str) -> None:
    assert check(CASES[name], target) is Outcome.RAN


@pytest.mark.parametrize("target", ["tflite", "coreml"])
def test_the_last_of_equal_values_is_refused(target: str) -> None:
    case = Case(f"r = ArgMax <axis = 1, select_last_index = 1> (x){_FLOATS}", {}, _PLACE)
    assert check(case, target) is Outcome.REFUSED
