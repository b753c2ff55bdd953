"""Cases of every operator on an accelerator: ``python -m tests.conformance.on_accelerators NAME`` writes the table that
``docs/operators.md`` shows (``make operators-on``).

One engine plays all cases of an accelerator, since starting one takes longer than a case.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from pocketlens import accelerators
from pocketlens.accelerators import Request
from pocketlens.accelerators.operators import PATH, OperatorRecord, read, write
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.opset import standard_operators
from pocketlens.pipeline.commands.inspect import refused
from pocketlens.placement import ACCELERATORS, Placement
from pocketlens.targets import TARGETS
from tests.conformance.case import Case
from tests.conformance.check import describe, prepared_case
from tests.conformance.operators import CASES

FLOOR = 60.0
"""dB against onnxruntime. Engines round functions such as tanh more coarsely than processors do, and a case spreads its
values over the whole range; a wrong row or weight falls far below."""
EXAMPLES = int(os.environ.get("CONFORMANCE_EXAMPLES", "6"))
SEED = int(os.environ.get("CONFORMANCE_SEED", "0"))


def check_on(case: Case, accelerator: str) -> Placement | None:
    """Emit a case, play it on an accelerator, and compare it with onnxruntime; None where the target refuses it.

    Raises:
        AssertionError: The engine computes something else, or fails.
    """
    target = ACCELERATORS[accelerator].targets[0]
    prepared = prepared_case(case)
    if refused(prepared.graph, target):
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{TARGETS[target].suffix}"
        emitter(target).emit(prepared.graph, "fp32", Labels("case"), path)
        placement = accelerators.place(accelerator, Request(path, prepared.image), prepared.expected, FLOOR)
    assert placement.status in ("whole", "partly"), f"{placement}\n{describe(case, prepared.proto, target)}"
    return placement


def cases(name: str, count: int = EXAMPLES) -> Iterator[Case]:
    """The first cases of an operator; the same ones each time."""
    found: list[Case] = []

    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(CASES[name][0])
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    yield from found


@dataclass
class _Tally:
    whole: int = 0
    partly: int = 0
    elsewhere: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def survey(accelerator: str) -> dict[str, OperatorRecord]:
    """Play cases of every operator."""
    known = set(standard_operators())
    tallies: dict[str, _Tally] = {}
    for name in CASES:
        operator = name.split(",")[0]
        if operator not in known:
            continue
        tally = tallies.setdefault(operator, _Tally())
        for case in cases(name):
            try:
                placement = check_on(case, accelerator)
            except AssertionError as error:
                tally.faults.append(str(error))
                print(f"{name}: {error}", flush=True)
                continue
            if placement is not None:
                tally.whole += placement.status == "whole"
                tally.partly += placement.status == "partly"
                tally.elsewhere |= set(placement.operators)
        print(name, tally.whole, tally.partly, sorted(tally.elsewhere), len(tally.faults), flush=True)
    return {
        operator: OperatorRecord(tally.whole, tally.partly, len(tally.faults), tuple(sorted(tally.elsewhere)))
        for operator, tally in sorted(tallies.items())
        if tally.whole + tally.partly + len(tally.faults)
    }


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write({**read(), name: survey(name)})
    print(PATH)
