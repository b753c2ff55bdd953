"""What accelerators made of generated cases of each operator: recorded by ``tests/conformance/on_accelerators.py``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pocketlens import files

PATH = Path(__file__).with_name("operators.json")


@dataclass(frozen=True)
class OperatorRecord:
    """An ONNX operator on an accelerator, in one precision.

    Attributes:
        whole: Cases of which it computed every operator.
        partly: Cases of which it left some operators to the processor.
        refused: Cases that the target or its compiler refused, in words.
        wrong: Cases that it computed wrongly, or that made its engine fail.
        elsewhere: The operators of the file that it left.
    """

    whole: int = 0
    partly: int = 0
    refused: int = 0
    wrong: int = 0
    elsewhere: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What a cell of the page of operators says of it.

        Example:
            >>> OperatorRecord(6).text, OperatorRecord(4, 2, elsewhere=("CAST",)).text
            ('whole', 'partly: not CAST in 2 of 6 cases')
        """
        count = self.whole + self.partly + self.refused + self.wrong
        counts = {
            f"partly: not {', '.join(self.elsewhere)}": self.partly, "refused": self.refused, "wrong": self.wrong,
        }  # fmt: skip
        if self.refused == count:
            return "refused" if count else "-"
        return "; ".join(f"{what} in {cases} of {count} cases" for what, cases in counts.items() if cases) or "whole"


def cell(records: Mapping[str, OperatorRecord]) -> str:
    """One cell of the page of operators.

    Args:
        records: By precision; empty where nothing was played.

    Example:
        >>> cell({"fp16": OperatorRecord(6), "int8": OperatorRecord(5, wrong=1)}), cell({"fp16": OperatorRecord(6)})
        ('fp16 whole; int8 wrong in 1 of 6 cases', 'whole')
    """
    texts = {precision: record.text for precision, record in records.items() if record.text != "-"}
    if not texts:
        return "-"
    if len(set(texts.values())) == 1 and len(texts) == len(records):
        return next(iter(texts.values()))
    alike: dict[str, list[str]] = {}
    for precision, text in texts.items():
        alike.setdefault(text, []).append(precision)
    return "; ".join(f"{', '.join(precisions)} {text}" for text, precisions in alike.items())


def read() -> dict[str, dict[str, dict[str, OperatorRecord]]]:
    """Accelerator → precision → operator → what was recorded."""
    if not PATH.exists():
        return {}
    return {
        accelerator: {
            precision: {
                operator: OperatorRecord(**{**record, "elsewhere": tuple(record.get("elsewhere", ()))})
                for operator, record in records.items()
            }
            for precision, records in table.items()
        }
        for accelerator, table in json.loads(PATH.read_text()).items()
    }


def write(records: dict[str, dict[str, dict[str, OperatorRecord]]]) -> None:
    """Replace the table; counts of 0 are left out."""
    data = {
        accelerator: {
            precision: {op: {key: n for key, n in asdict(record).items() if n} for op, record in table.items()}
            for precision, table in sorted(tables.items())
        }
        for accelerator, tables in sorted(records.items())
    }
    lines = json.dumps(data, indent=1, sort_keys=True)
    files.write(PATH, lines + "\n")
