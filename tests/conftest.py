"""What the tests may use: the real generators beside the checkout, where they are."""

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
    """A shell's background job ignores SIGINT, and so would every child that a test means to interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
