"""What is printed while it is quiet is dropped, also what Python holds back until later."""

import subprocess
import sys

PRINT = """
import os, sys
from pocketlens.runtimes.quiet import STDERR, STDOUT, quiet
print("before")
with quiet(STDOUT), quiet(STDERR):
    print("held back")
    print("a warning", file=sys.stderr)
    os.write(STDOUT, b"native")
print("after")
"""


def test_nothing_appears_afterwards() -> None:
    printed = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True, check=True)
    assert (printed.stdout, printed.stderr) == ("before\nafter\n", "")
