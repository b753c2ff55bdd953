"""Cases that failed once stay right."""

import pytest

from tests.conformance.case import Case, Place
from tests.conformance.check import Outcome, check
from tests.conformance.regressions import REGRESSIONS


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_failed_once_is_right(name: str) -> None:
    target, case = REGRESSIONS[name]
    assert check(case, target) is Outcome.RAN


RESIZED_BY_MATRICES = {
    "a cubic scale that is no ratio of sizes": Case(
        'y = Resize <mode = "cubic"> (x, , scales)', {"scales": (1.0, 1.0, 2.0, 1.25)}, Place(3, 1, 2)
    ),
    "which pixels of a cubic Resize count": Case(
        'y = Resize <mode = "cubic", exclude_outside = 1> (x, , , sizes)', {"sizes": (1, 3, 4, 7)}, Place(3, 4, 5)
    ),
    "a smoothed smaller picture": Case(
        'y = Resize <mode = "linear", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 1, 1)}, Place(3, 1, 3)
    ),
    "a smoothed cubic one": Case(
        'y = Resize <mode = "cubic", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 5, 9)}, Place(3, 16, 11)
    ),
    "a smoothed larger one": Case(
        'y = Resize <mode = "linear", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 4, 6)}, Place(3, 2, 3)
    ),
}


@pytest.mark.parametrize("case", RESIZED_BY_MATRICES)
def test_what_openvino_would_sample_otherwise_is_right(case: str) -> None:
    assert check(RESIZED_BY_MATRICES[case], "openvino") is Outcome.RAN


def test_what_openvino_would_compute_otherwise_is_refused() -> None:
    case = Case(
        'y = Resize <mode = "linear", keep_aspect_ratio_policy = "not_larger", axes = [2, 3]> (x, , , sizes)',
        {"sizes": (10, 9)},
        Place(3, 4, 7),
    )
    assert check(case, "openvino") is Outcome.REFUSED
    assert check(case, "onnx") is Outcome.RAN
