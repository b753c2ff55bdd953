"""Cases that failed once stay right."""

import pytest

from tests.conformance.case import Case, Place
from tests.conformance.check import Outcome, check
from tests.conformance.regressions import REGRESSIONS


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_failed_once_is_right(name: str) -> None:
    target, case = REGRESSIONS[name]
    assert check(case, target) is Outcome.RAN


COMPUTED_OTHERWISE = {
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
}


@pytest.mark.parametrize("case", COMPUTED_OTHERWISE)
def test_what_openvino_would_compute_otherwise_is_refused(case: str) -> None:
    assert check(COMPUTED_OTHERWISE[case], "openvino") is Outcome.REFUSED
    assert check(COMPUTED_OTHERWISE[case], "onnx") is Outcome.RAN


def test_openvino_is_refused_antialias_only_where_it_shrinks() -> None:
    """It reads the same few pixels with antialias as without, without an error: 23 dB."""
    case = Case('y = Resize <mode = "linear", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 1, 1)}, Place(3, 1, 3))
    assert check(case, "openvino") is Outcome.REFUSED
    assert check(case, "onnx") is Outcome.RAN
    larger = Case('y = Resize <mode = "linear", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 4, 6)}, Place(3, 2, 3))
    assert check(larger, "openvino") is Outcome.RAN
