"""What is freed goes back to the system while it is asked for."""

import subprocess
import sys

import pytest

from pocketlens import machine

HOLES = """
from pathlib import Path
import numpy as np
from pocketlens.memory import large_blocks_returned

def held_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

freed = np.ones(3 << 20)  # 25 MB: from now on glibc keeps blocks of that size
del freed
with large_blocks_returned():
    before = held_mb()
    blocks = [np.ones(1 << 20) for _ in range(20)]
    del blocks[:-1]  # the last one is above those that are freed
    print(held_mb() - before)
"""


@pytest.mark.skipif(not any(machine.glibc()), reason="it is about glibc")
def test_blocks_below_one_that_is_in_use_go_back() -> None:
    held = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, check=True, text=True).stdout
    assert float(held) < 20, "one block of 8 MB is in use, and 19 are free"
