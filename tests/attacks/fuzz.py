"""Damaged files of one kind, read in this process: ``python -m tests.attacks.fuzz KIND FIRST COUNT``.

A case is a good file with a few changed, cut, repeated or exchanged bytes, by its number alone. Each may give a result
or a PocketlensError. Anything else ends the process or is printed: a crash, another exception, five seconds of
processor time, more than two gigabytes of memory, a file opened outside its folder. The last line is ``done``; before
each case its number is printed.
"""

import json
import os
import random
import resource
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from pocketlens.errors import PocketlensError
from tests.attacks.kinds import KINDS, Read

ROOM = 2_000_000_000
"""Bytes of address space that a case may take beside what the process had when it began."""
SECONDS = 5
_WORDS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0", b"\xfe\xff\xff\xff")
_TEXTS = (b"../", b"/etc/passwd", b"-1", b"1e999", b"null", b"[" * 3000, b'"\\ud800"', b"9" * 400, b"{}")


def damaged(good: bytes, number: int) -> bytes:
    """The good file, changed in one to five places."""
    rng, data = random.Random(number), bytearray(good)
    for _ in range(rng.randint(1, 5)):
        place, way = rng.randrange(len(data) or 1), rng.random()
        if way < 0.3:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif way < 0.5:
            data[place : place + 4] = rng.choice(_WORDS)
        elif way < 0.65:
            data[place : place + 1] = bytes([(data[place] if data else 0) ^ (1 << rng.randrange(8))])
        elif way < 0.75:
            data[place:place] = rng.choice(_TEXTS)
        elif way < 0.85:
            other = rng.randrange(len(data) or 1)
            data[place : place + 16] = data[other : other + 16]
        elif way < 0.95:
            del data[place : place + rng.randint(1, 9)]
        else:
            del data[place:]
    return bytes(data)


def main(kind: str, first: int, count: int) -> None:
    good, name, read = KINDS[kind]()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch).resolve()
        tempfile.tempdir = str(folder)
        _attempt(read, folder / name, good)
        _confine(folder)
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + ROOM,) * 2)
        for number in range(first, first + count):
            print(number, flush=True)
            (folder / name).write_bytes(damaged(good, number))
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                read(folder / name)
            except PocketlensError:
                pass
            except Exception as error:  # noqa: BLE001 - what is not in words is what this looks for
                print(json.dumps({"case": number, "error": f"{type(error).__name__}: {error}"[:300]}), flush=True)
            signal.setitimer(signal.ITIMER_PROF, 0)
    print("done", flush=True)


def _attempt(read: Read, path: Path, good: bytes) -> None:
    """The good file, so that everything that is imported late is here before the limits are."""
    path.write_bytes(good)
    with suppress(PocketlensError):
        read(path)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _confine(folder: Path) -> None:
    """Tell of every file that is opened outside the folder, the program's own aside."""
    allowed = [
        folder,
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(__file__).resolve().parents[2],
        *map(Path, ("/usr", "/proc", "/sys", "/dev")),
    ]
    allowed += [one.resolve() for one in allowed]

    def heard(event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = Path(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100 - no link is followed
        written = isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if not any(path.is_relative_to(a) for a in (allowed[:1] if written else allowed)):
            print(json.dumps({"opened": str(path)}), flush=True)

    sys.addaudithook(heard)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
