"""What generated cases found once stays found."""

import pytest

from tests.conformance.case import Case, Place
from tests.conformance.check import Outcome, check
from tests.conformance.regressions import FOUND


@pytest.mark.parametrize("name", FOUND)
def test_it_is_right_now(name: str) -> None:
    target, case = FOUND[name]
    assert check(case, target) is Outcome.RAN


def test_openvino_is_not_given_what_it_would_do_otherwise() -> None:
    """It takes the same few pixels with antialias as without, and says nothing: 23 dB."""
    case = Case('y = Resize <mode = "linear", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 1, 1)}, Place(3, 1, 3))
    assert check(case, "openvino") is Outcome.REFUSED
    assert check(case, "onnx") is Outcome.RAN
    larger = Case('y = Resize <mode = "linear", antialias = 1> (x, , , sizes)', {"sizes": (1, 3, 4, 6)}, Place(3, 2, 3))
    assert check(larger, "openvino") is Outcome.RAN
