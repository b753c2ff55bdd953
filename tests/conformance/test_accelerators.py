"""Conformance of accelerators whose engines run here; ``docs/operators.md`` has what all cases gave."""

import pytest

from pocketlens import accelerators
from pocketlens.accelerators import litert_gpu, operators
from pocketlens.placement import ACCELERATORS
from pocketlens.runtimes.litert_library import version
from tests.conformance.case import Case, Place, Weights
from tests.conformance.conform import DEEP
from tests.conformance.on_accelerators import cases, check_on
from tests.conformance.operators import CASES

_FEW = ("Conv", "Resize", "InstanceNormalization", "DepthToSpace", "ReduceMean", "PRelu", "Softmax", "Gather")
"""Operators of an ordinary run."""
_NAMES = [name for name in (CASES if DEEP else _FEW) if name.split(",")[0] in operators.read().get("litert-gpu", {})]
MISSING = litert_gpu.missing()
needs_engine = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
needs_the_fault = pytest.mark.skipif(
    MISSING is not None or version() != "2.3.0", reason="the fault is known of ai-edge-litert 2.3.0"
)


@needs_engine
@pytest.mark.parametrize("operator", _NAMES)
def test_cases_are_whole_as_recorded(operator: str) -> None:
    record = operators.read()["litert-gpu"][operator.split(",", maxsplit=1)[0]]
    for case in cases(operator, 4 if DEEP else 1):
        try:
            placement = check_on(case, "litert-gpu")
        except AssertionError:
            assert record.faults, "docs/operators.md says that every case is right"
            continue
        assert placement is None or placement.status == "whole" or record.partly


@needs_the_fault
def test_a_picture_that_the_engine_computes_wrongly_is_refused() -> None:
    """Its engine takes a pad of 128 in front of a convolution for one of zeros; see ``docs/upstream.md``."""
    nodes = "m = Pad(x, p, f)\ny = Conv(m, w)"
    constants = {"p": (0, 0, 1, 1, 0, 0, 1, 1), "f": 128.0, "w": Weights((3, 3, 3, 3), 2.0)}
    with pytest.raises(AssertionError, match=r"status='refused'[\s\S]*another picture than the teacher's"):
        check_on(Case(nodes, constants, Place(3, 6, 6, "Conv", "Mul")), "litert-gpu")


@needs_the_fault
def test_a_crash_of_the_engine_costs_that_check_alone() -> None:
    """Groups of six channels end its process; see ``docs/upstream.md``."""
    nodes = "y = Conv <group = {}, pads = [1, 1, 1, 1]> (x, w)"
    six = Case(nodes.format(2), {"w": Weights((12, 6, 3, 3), 2.0)}, Place(12, 8, 8, "Conv", "Mul"))
    with pytest.raises(AssertionError, match=r"status='unchecked'[\s\S]*crashed \(SIG"):
        check_on(six, "litert-gpu")
    four = Case(nodes.format(3), {"w": Weights((12, 4, 3, 3), 2.0)}, Place(12, 8, 8, "Conv", "Mul"))
    placement = check_on(four, "litert-gpu")
    assert placement is not None and placement.status == "whole"


def test_what_is_recorded_is_of_accelerators_that_execute() -> None:
    for name, records in operators.read().items():
        assert ACCELERATORS[name].executes and accelerators.engine(name)
        assert len(records) > 50
