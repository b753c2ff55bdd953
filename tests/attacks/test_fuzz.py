"""Damaged files of every kind that is read: no crash, no hang, no file outside, memory bounded.

``make fuzz`` runs FUZZ_CASES of each kind; an ordinary run a seeded few, the same every time.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attacks.fuzz import damaged
from tests.attacks.kinds import KINDS

CASES = int(os.environ.get("FUZZ_CASES", "0")) or 25
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory and reads /proc as Linux does it")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind: str) -> None:
    first, left, wrong = FIRST, CASES, list[str]()
    while left > 0:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.attacks.fuzz", kind, str(first), str(left)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        lines = done.stdout.split()
        numbers = [int(line) for line in lines if line.isdigit()]
        wrong += [json.dumps(json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
        if lines and lines[-1] == "done":
            break
        assert numbers, f"{kind} did not begin: {done.stderr[-1000:]}"
        wrong.append(f"case {numbers[-1]} ended the process with {done.returncode}: {done.stderr[-300:]}")
        left -= numbers[-1] + 1 - first
        first = numbers[-1] + 1
    assert not wrong, f"{len(wrong)} of {CASES} {kind} files:\n" + "\n".join(wrong[:20])


def test_cases_differ_and_stay_the_same() -> None:
    good = bytes(range(256)) * 4
    cases = [damaged(good, number) for number in range(200)]
    assert cases == [damaged(good, number) for number in range(200)]
    assert len(set(cases)) > 190 and good not in cases
