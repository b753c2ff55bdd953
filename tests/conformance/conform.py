"""Runs the generated cases of one operator on one target."""

import os
from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings

from pocketlens.targets import TARGETS
from tests.conformance.check import Outcome, check, check_integers
from tests.conformance.operators import CASES

PROPERTY = "conformance"
"""Under which a test's report carries (operator, target, cases that ran, cases that were refused)."""

EXAMPLES = int(os.environ.get("CONFORMANCE_EXAMPLES", "0"))
"""Cases an operator and target; 0 for the few of every ordinary run, which are the same each time."""
SEED = int(os.environ.get("CONFORMANCE_SEED", "0"))
"""Other numbers give other cases; the same number the same ones."""
DEEP = EXAMPLES > 0
_FEW = 2
"""Cases of an ordinary run."""
_FEW_OF_SLOW_TARGETS = {"coreml": 1, "coreai": 1, "openvino": 1}
"""coremltools and Core AI's compiler take a third of a second for the smallest program; OpenVINO compiles too."""

Record = Callable[[str, object], None]


def parameters(*modules: str) -> list[tuple[str, str]]:
    """Every (operator, target) whose strategy stands in one of these modules of ``operators``."""
    prefix = "tests.conformance.operators."
    return [
        (name, target)
        for name, (_, module) in CASES.items()
        if module.removeprefix(prefix) in modules
        for target, kind in TARGETS.items()
        if not kind.chips  # whose compiler takes seconds for the smallest graph: test_accelerators has many in one
    ]


def conform(operator: str, target: str, record: Record, *, integers: bool = False) -> None:
    """Generate cases, check each, and shrink what fails to the smallest case; of floats, or of the same in int8."""
    counts: Counter[Outcome] = Counter()

    # The same seed for every target, so that a case is prepared once.
    @seed(SEED)
    @settings(
        deadline=None,
        max_examples=EXAMPLES or _FEW_OF_SLOW_TARGETS.get(target, _FEW),
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
    )
    @given(CASES[operator][0])
    def run(case: object) -> None:
        counts[(check_integers if integers else check)(case, target)] += 1  # type: ignore[arg-type]

    try:
        run()
    finally:
        name = f"{operator}, int8" if integers else operator
        record(PROPERTY, (name, target, counts[Outcome.RAN], counts[Outcome.REFUSED]))
