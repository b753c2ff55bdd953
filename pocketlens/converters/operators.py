"""Which operator goes to which target: what every emitter says of itself, as one page.

``python -m pocketlens.converters.operators`` writes ``docs/operators.md`` again (``make operators``).
"""

from pathlib import Path

from pocketlens.accelerators.operators import OperatorRecord, cell
from pocketlens.accelerators.operators import read as read_records
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import LoweredOperators, emitter
from pocketlens.converters.opset import standard_operators
from pocketlens.placement import ACCELERATORS
from pocketlens.targets import TARGETS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"

_HEAD = f"""# Operators

This page says which ONNX operator (opset {hub.OPSET}) each target takes. `make operators` writes it from the tables
that the emitters use. `make conformance` generates cases for all of these operators, converts and plays them, and
compares the result with onnxruntime.

The table is about the graph that Pocketlens has prepared, not about your file. In that graph constants are folded,
shapes are fixed, batch norms are merged into convolutions, norms that an exporter took apart are put together again,
and older opsets are converted. An operator that a target does not take may convert all the same: Pocketlens writes many
in terms of others first ([rewrites](rewrites.md#for-every-target)), for instance Einsum, GridSample and LpPool.
`pocketlens inspect MODEL` says what your model needs, before any work.
"""


def page() -> str:
    """The text of ``docs/operators.md``."""
    targets = {target: emitter(target).lowered_operators() for target in TARGETS}
    played = read_records()
    own = [lowered.conditions for lowered in targets.values() if lowered.has_own_lowerings]
    rows: list[str] = []
    others: list[str] = []
    for operator in standard_operators():
        (rows if any(operator in conditions for conditions in own) else others).append(operator)
    return "\n".join(
        [
            _HEAD,
            *(f"- **{target}** {lowered.summary}" for target, lowered in targets.items()),
            *(
                f"- **{name}** ({ACCELERATORS[name].title}) played generated cases here, in {', '.join(tables)}."
                for name, tables in played.items()
            ),
            "",
            f"| operator | {' | '.join([*targets, *played])} |",
            "|" + "---|" * (1 + len(targets) + len(played)),
            *(_row(operator, targets, played) for operator in rows),
            "",
            *_paragraphs(others, targets),
        ]
    )


def _row(
    operator: str, targets: dict[str, LoweredOperators], played: dict[str, dict[str, dict[str, OperatorRecord]]]
) -> str:
    cells = [_cell(lowered.conditions.get(operator)) for lowered in targets.values()]
    cells += [
        cell({precision: records[operator] for precision, records in tables.items() if operator in records})
        for tables in played.values()
    ]
    return f"| {operator} | {' | '.join(cells)} |"


def _cell(condition: str | None) -> str:
    if condition is None:
        return "no"
    return f"yes: {condition}" if condition else "yes"


def _paragraphs(operators: list[str], targets: dict[str, LoweredOperators]) -> list[str]:
    """The operators without a row, by the targets that take them; those that most targets take come first."""
    by_targets: dict[tuple[str, ...], list[str]] = {}
    for operator in operators:
        takers = tuple(target for target, lowered in targets.items() if operator in lowered.conditions)
        by_targets.setdefault(takers, []).append(operator)
    lines = []
    for takers, names in sorted(by_targets.items(), key=lambda group: (-len(group[0]), group[0])):
        listed = " and ".join(filter(None, [", ".join(takers[:-1]), takers[-1]]))
        lines += [f"Only {listed}: {', '.join(names)}.", ""]
    return lines


if __name__ == "__main__":
    PAGE.write_text(page())
