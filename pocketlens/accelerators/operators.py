"""What accelerators made of generated cases of each operator: recorded by ``tests/conformance/on_accelerators.py``."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pocketlens import files

PATH = Path(__file__).with_name("operators.json")


@dataclass(frozen=True)
class OperatorRecord:
    """An ONNX operator on an accelerator.

    Attributes:
        whole: Cases of which it computed every operator.
        partly: Cases of which it left some operators to the processor.
        faults: Cases that it refused or computed wrongly.
        elsewhere: The operators of the file that it left.
    """

    whole: int
    partly: int = 0
    faults: int = 0
    elsewhere: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One cell of the page of operators.

        Example:
            >>> OperatorRecord(6).text, OperatorRecord(4, 2, 0, ("CAST",)).text
            ('whole', 'partly: not CAST in 2 of 6 cases')
        """
        count = self.whole + self.partly + self.faults
        parts = [f"partly: not {', '.join(self.elsewhere)} in {self.partly} of {count} cases"] if self.partly else []
        parts += [f"wrong or refused in {self.faults} of {count} cases"] if self.faults else []
        return "; ".join(parts) or "whole"


def read() -> dict[str, dict[str, OperatorRecord]]:
    """Accelerator → operator → what was recorded."""
    if not PATH.exists():
        return {}
    return {
        accelerator: {
            operator: OperatorRecord(**{**record, "elsewhere": tuple(record["elsewhere"])})
            for operator, record in records.items()
        }
        for accelerator, records in json.loads(PATH.read_text()).items()
    }


def write(records: dict[str, dict[str, OperatorRecord]]) -> None:
    """Replace the table."""
    data = {name: {op: asdict(record) for op, record in table.items()} for name, table in sorted(records.items())}
    files.write(PATH, json.dumps(data, indent=1, sort_keys=True) + "\n")
