"""Conformance of accelerators whose engines run here; ``docs/operators.md`` has what all cases gave."""

from pathlib import Path

import pytest

from pocketlens import accelerators
from pocketlens.accelerators import litert_gpu, operators
from pocketlens.pipeline.commands.place import place_file
from pocketlens.placement import ACCELERATORS
from pocketlens.runtimes.litert_library import version
from tests.conformance.case import Case, Place
from tests.conformance.conform import DEEP
from tests.conformance.on_accelerators import cases, check_on
from tests.conformance.operators import CASES

UPSTREAM = Path(__file__).resolve().parents[1] / "data/upstream"
_FEW = ("Conv", "Resize, linear", "InstanceNormalization", "DepthToSpace", "ReduceMean", "PRelu", "Softmax", "Gather")
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
@pytest.mark.parametrize(
    ("file", "status", "reason"),
    [
        ("pad-before-convolution", "refused", "another picture"),
        ("groups-of-two", "refused", "another picture"),
        ("groups-of-six", "unchecked", "crashed (SIG"),
    ],
)
def test_a_fault_of_the_engine_is_found_and_costs_that_check_alone(file: str, status: str, reason: str) -> None:
    """The minimal files of ``docs/upstream.md``."""
    ((placement, *_),) = place_file(UPSTREAM / f"litert-gpu-{file}.tflite").values()
    assert placement.accelerator == "litert-gpu"
    assert placement.status == status and reason in placement.reason
    case = Case("y = Relu(x)", {}, Place(3, 4, 4, "Conv", "Mul"))
    after = check_on(case, "litert-gpu")
    assert after is not None and after.status == "whole"


def test_what_is_recorded_is_of_accelerators_that_execute() -> None:
    for name, records in operators.read().items():
        assert ACCELERATORS[name].executes and accelerators.engine(name)
        assert len(records) > 50
