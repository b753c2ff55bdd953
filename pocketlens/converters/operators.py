"""Which operator goes to which target: the tables of the emitters, as one page.

``python -m pocketlens.converters.operators`` writes ``docs/operators.md`` again (``make operators``).
"""

from collections.abc import Iterable
from pathlib import Path

from pocketlens.converters import graph as hub
from pocketlens.converters import openvino
from pocketlens.converters.coreml import lowerings  # noqa: F401 - importing it fills the table
from pocketlens.converters.coreml.registry import MAX_RANK, TABLE
from pocketlens.converters.tflite import registry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
YES, NO = "yes", "no"
OURS = ("tflite", "coreml")
"""The targets whose lowerings are in this repository."""

_HEAD = f"""# Operators

Which ONNX operator (opset {hub.OPSET}) goes to which target. Written by `make operators` from the tables that convert;
`make conformance` generates cases for all of them, converts and executes them, and compares with onnxruntime.

This is asked of the graph that Pocketlens has prepared, not of your file: constants are folded, shapes are fixed, batch
norms are merged into convolutions, norms that an exporter took apart are put together again, and older opsets are
converted. `pocketlens inspect MODEL` tells what your model asks for, before any work.

- **onnx** takes every standard operator.
- **openvino** takes what OpenVINO's own ONNX reader has a rule for. A rule may refuse attributes; then the refusal names
  the node and says why.
- **tflite** computes with float32 and booleans. Values of four axes are stored channels last, all others as they are; a
  reshape between the two is a transpose more where the order of the values changes. Of an operator with several outputs only the first may be
  used, Split aside.
- **coreml** computes with floats of 1 to {MAX_RANK} axes (Reshape and Transpose also with {MAX_RANK + 1}, the first of length 1). The first input is
  always there. What is tried here is the package, in our interpreter; Apple's own runtime runs on macOS only.
"""


def conditions(target: str) -> dict[str, str]:
    """What has to hold for each operator that a target of ours takes, in words; empty where nothing in particular.

    Args:
        target: ``tflite`` or ``coreml``.
    """
    if target == "tflite":
        return registry.conditions()
    return {operator: lowering.needs for operator, lowering in sorted(TABLE.items())}


def standard() -> list[str]:
    """The operators of the graph's opset, sorted."""
    from onnx import defs

    names = {schema.name for schema in defs.get_all_schemas() if not schema.domain and defs.has(schema.name, hub.OPSET)}
    return sorted(name for name in names if not defs.get_schema(name, hub.OPSET).deprecated)


def page() -> str:
    """The text of ``docs/operators.md``."""
    names = standard()
    read = openvino.converted(names)
    tables = {target: conditions(target) for target in OURS}
    ours = [name for name in names if any(name in table for table in tables.values())]
    lines = ["| operator | onnx | openvino | tflite | coreml |", "|---|---|---|---|---|"]
    for name in ours:
        cells = [_cell(tables[target], name) for target in OURS]
        lines.append(f"| {name} | {YES} | {YES if name in read else NO} | {' | '.join(cells)} |")
    rest = [name for name in names if name not in ours]
    return "\n".join(
        [
            _HEAD,
            *lines,
            "",
            "ONNX and OpenVINO alone: " + _listed(n for n in rest if n in read),
            "",
            "ONNX alone: " + _listed(n for n in rest if n not in read),
            "",
        ]
    )


def _cell(table: dict[str, str], name: str) -> str:
    if name not in table:
        return NO
    return f"{YES}: {table[name]}" if table[name] else YES


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) + "."


if __name__ == "__main__":
    PAGE.write_text(page())
