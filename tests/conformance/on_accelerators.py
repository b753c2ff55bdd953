"""Cases of every operator on accelerators: ``python -m tests.conformance.on_accelerators NAME`` writes the table that
``docs/operators.md`` shows (``make operators-on``).

Cases of several operators are one file (:mod:`tests.conformance.batch`). Results are kept as they come: what is in the
table is not played again, unless ``--again`` is said. A case that fails is generated again from the same seed and made
smaller by hypothesis, each candidate played alone, until nothing smaller fails or its time is over.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, seed, settings

from pocketlens import accelerators
from pocketlens.accelerators.operators import PATH, OperatorRecord, read, write
from pocketlens.converters.opset import standard_operators
from pocketlens.placement import ACCELERATORS
from pocketlens.targets import TARGETS
from tests.conformance.apart import Players
from tests.conformance.batch import FLOORS, Verdict
from tests.conformance.case import Case
from tests.conformance.operators import CASES

EXAMPLES = int(os.environ.get("CONFORMANCE_EXAMPLES", "6"))
SEED = int(os.environ.get("CONFORMANCE_SEED", "0"))
CASES_A_FILE = 40
SHRINK_SECONDS = float(os.environ.get("CONFORMANCE_SHRINK", "60"))
"""How long a case that fails is made smaller."""


def cases(name: str, count: int = EXAMPLES) -> list[Case]:
    """The first cases of an operator; the same ones each time."""
    found: list[Case] = []
    _generate(name, count, found.append, [Phase.generate])
    return found[:count]


def _generate(name: str, count: int, ask: object, phases: list[Phase]) -> None:
    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(CASES[name][0])
    def run(case: Case) -> None:
        ask(case)  # type: ignore[operator]

    run()


def smallest(name: str, count: int, known: dict[str, Verdict], players: Players) -> tuple[Case, Verdict] | None:
    """The smallest case of an operator that is wrong, found within :data:`SHRINK_SECONDS`; None if none is.

    Args:
        name: A name of ``CASES``.
        count: As many cases as were asked for.
        known: The verdicts of cases that were played, by ``repr``; grows.
        players: Play the others, one by one.
    """
    end = time.monotonic() + SHRINK_SECONDS
    last: list[tuple[Case, Verdict]] = []

    def ask(case: Case) -> None:
        key = repr(case)
        if key not in known:
            if time.monotonic() > end:
                return  # takes it for right, so that hypothesis ends
            (known[key],) = players.verdicts([case])
        if known[key].status == "wrong":
            last.append((case, known[key]))
            raise AssertionError(known[key].reason)

    try:
        _generate(name, count, ask, [Phase.generate, Phase.shrink])
    except AssertionError:
        return last[-1]
    return None


def files(names: Iterable[str], count: int) -> Iterator[list[tuple[str, Case]]]:
    """Cases with their names, so many that a file is worth its compilation; those of one ONNX operator together."""
    groups: dict[str, list[tuple[str, Case]]] = {}
    for name in names:
        groups.setdefault(_operator(name), []).extend((name, case) for case in cases(name, count))
    file: list[tuple[str, Case]] = []
    for group in groups.values():
        file += group
        if len(file) >= CASES_A_FILE:
            yield file
            file = []
    if file:
        yield file


def _operator(name: str) -> str:
    return name.split(",", maxsplit=1)[0]


def survey(accelerator: str, precision: str, *, again: bool = False) -> None:
    """Play cases of every operator, and keep the results."""
    known_operators = set(standard_operators())
    done = {} if again else read().get(accelerator, {}).get(precision, {})
    names = [name for name in CASES if _operator(name) in known_operators and _operator(name) not in done]
    with Players(accelerator, precision) as players:
        for file in files(names, EXAMPLES):
            began = time.monotonic()
            verdicts = dict(
                zip(map(repr, (case for _, case in file)), players.verdicts([c for _, c in file]), strict=True)
            )
            verdicts = _confirmed(file, verdicts, players)
            records: dict[str, OperatorRecord] = {}
            for name, case in file:
                verdict, operator = verdicts[repr(case)], _operator(name)
                record = records.setdefault(operator, OperatorRecord())
                if verdict.status == "void":
                    continue
                count = getattr(record, verdict.status) + 1
                elsewhere = tuple(sorted({*record.elsewhere, *verdict.operators}))
                records[operator] = replace(record, **{verdict.status: count, "elsewhere": elsewhere})
            table = read()
            table.setdefault(accelerator, {}).setdefault(precision, {}).update(records)
            write(table)
            print(f"{accelerator} {precision}: {', '.join(records)}: {time.monotonic() - began:.0f} s", flush=True)
            told = {(name, v.status, v.reason) for name, case in file if (v := verdicts[repr(case)]).status != "whole"}
            for name, status, reason in sorted(told):
                if status != "wrong":
                    print(f"  {name}: {status}: {reason}", flush=True)
            for name in dict.fromkeys(name for name, case in file if verdicts[repr(case)].status == "wrong"):
                if found := smallest(name, EXAMPLES, verdicts, players):
                    print(f"  {name}: wrong: {found[1].reason}\n    {found[0]!r}", flush=True)


def _confirmed(file: list[tuple[str, Case]], verdicts: dict[str, Verdict], players: Players) -> dict[str, Verdict]:
    """The same after each case that is wrong in company was played alone."""
    for name, case in file:
        verdict = verdicts[repr(case)]
        if verdict.status == "wrong":
            (alone,) = players.verdicts([case])
            if alone.status != "wrong":
                print(f"  {name}: {alone.status} alone, wrong beside others: {verdict.reason}: {case!r}", flush=True)
            verdicts[repr(case)] = alone
    return verdicts


def main() -> None:
    executing = [name for name, accelerator in ACCELERATORS.items() if accelerator.executes]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("accelerator", nargs="+", choices=executing)
    parser.add_argument("--precision", action="append", choices=list(FLOORS))
    parser.add_argument("--again", action="store_true", help="play what is in the table as well")
    arguments = parser.parse_args()
    for accelerator in arguments.accelerator:
        if missing := accelerators.engine(accelerator).missing():
            sys.exit(f"{ACCELERATORS[accelerator].title}: {missing}")
        of_target = TARGETS[ACCELERATORS[accelerator].targets[0]].precision_names
        for precision in arguments.precision or FLOORS:
            if precision in of_target:
                survey(accelerator, precision, again=arguments.again)
    print(PATH)


if __name__ == "__main__":
    main()
