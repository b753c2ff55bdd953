"""What generated cases found once stays found."""

import pytest

from tests.conformance.case import Case, Place
from tests.conformance.check import Outcome, check
from tests.conformance.regressions import FOUND


@pytest.mark.parametrize("name", FOUND)
def test_it_is_right_now(name: str) -> None:
    target, case = FOUND[name]
    assert check(case, target) is Outcome.RAN


OTHERWISE = {
    "a cubic scale that is no ratio of sizes": Case(
        'y = Resize <mode = "cubic"> (x, , scales)', {"scales": (1.0, 1.0, 2.0, 1.25)}, Place(3, 1, 2)
    ),
    "which pixels of a cubic Resize count": Case(
        'y = Resize <mode = "cubic", exclude_outside = 1> (x, , , sizes)', {"sizes": (1, 3, 4, 7)}, Place(3, 4, 5)
    ),
    "an aspect ratio whose scale is no ratio of sizes": Case(
        'y = Resize <mode = "linear", keep_aspect_ratio_policy = "not_larger", axes = [2, 3]> (x, , , sizes)',
        {"sizes": (10, 9)},
        Place(3, 4, 7),
    ),
    "the Slice in front of GatherElements": Case(
        "c = Slice(x, s, e, a)\ni = Expand(at, to)\ny = GatherElements <axis = 2> (c, i)",
        {"s": (0,), "e": (3,), "a": (3,), "at": 1, "to": (1, 3, 2, 3)},
        Place(3, 4, 7),
    ),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_openvino_is_not_given_what_it_does_not_see(what: str) -> None:
    assert check(OTHERWISE[what], "openvino") is Outcome.REFUSED
    assert check(OTHERWISE[what], "onnx") is Outcome.RAN


def test_openvino_is_not_given_what_it_would_do_otherwise() -> None:
    """It takes the same few pixels with antialias as without, and says nothing: 23 dB."""
    case = Case('y = Resize <mode = "linear", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 1, 1)}, Place(3, 1, 3))
    assert check(case, "openvino") is Outcome.REFUSED
    assert check(case, "onnx") is Outcome.RAN
    larger = Case('y = Resize <mode = "linear", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 4, 6)}, Place(3, 2, 3))
    assert check(larger, "openvino") is Outcome.RAN
