"""What a command finds around it: streams that are closed, full, or of an encoding that lacks half the letters."""

import contextlib
import errno
import io
import os
import sys

_ADVICE = {
    errno.ENOSPC: "free some space, or set TMPDIR, POCKETLENS_CACHE or the output to another disk",
    errno.EDQUOT: "free some space: this user's share of the disk is used up",
    errno.EFBIG: "write to another disk, or raise the limit (ulimit -f)",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENOMEM: "close other programs, or take a smaller size",
}


def prepare() -> None:
    """Make the three standard streams usable, whatever they are.

    A closed one is opened on nothing: else the next file that is opened would get its number, and what libraries print
    would land in that file. A letter that a stream's encoding lacks is written as its number, for instance ``\\xe9``.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - open as long as the process
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Send what is still to be written to nowhere: else Python would complain once more when it flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
            continue
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def advice(error: OSError) -> str:
    """The next step after a fault of the machine."""
    return _ADVICE.get(error.errno or 0, "look at the permissions and the disk")
