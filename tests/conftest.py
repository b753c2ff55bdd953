"""What the tests may use: the real generators beside the checkout, where they are."""

import gc
import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT / "../shared"
collect_ignore = ["data"]  # bundles hold code to paste, which is no test


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real trained generators; tests that need it skip where it is not there."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"{SHARED.resolve()} is not here: real generators are kept beside the checkout")
    return SHARED.resolve()


def pytest_configure() -> None:
    """What every process of the tests begins with.

    A shell's background job ignores SIGINT, and what nohup starts SIGHUP, and so would every child that a test means
    to interrupt. Graphs are many
    small objects: the collector took 15 % of the time of a build, and takes 4 % when it looks less often. Processes
    that share the cores compute in one thread each: torch's threads spin while they wait for a core.
    """
    gc.set_threshold(50_000, 20, 50)
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
