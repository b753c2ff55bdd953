"""Damaged files of one kind, guided by coverage: ``python -m tests.attacks.guided KIND SECONDS [SEED]``.

atheris changes a good file, keeps what reaches code that nothing reached before, and changes that further. A case may
give a result or a PocketlensError; any other exception is printed once for each place that it comes from, with its
input in base64. Five seconds of a processor are a fault, a crash ends the process. The last line has the counts.
"""

import base64
import contextlib
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pocketlens"], enable_loader_override=False):
    from pocketlens.errors import PocketlensError
    from tests.attacks.fuzz import SECONDS
    from tests.attacks.kinds import KINDS

    MADE = {name: KINDS[name]() for name in sys.argv[1:2]}

_LARGEST = 1 << 16
WALL_SECONDS = 120
"""By the clock on the wall, which runs on while a busy machine does something else; what counts is the processor's."""


def main(kind: str, seconds: float, seed: int = 1) -> None:
    """Play one kind until the time is over."""
    good, name, read = MADE[kind]
    end_s, cases, told = time.monotonic() + seconds, 0, set[str]()
    with tempfile.TemporaryDirectory(prefix="guided-") as scratch:
        path, corpus = Path(scratch) / name, Path(scratch) / "corpus"
        corpus.mkdir()
        (corpus / "good").write_bytes(good)

        def one(data: bytes) -> None:
            nonlocal cases
            if time.monotonic() > end_s:
                print(json.dumps({"kind": kind, "cases": cases, "faults": len(told)}), flush=True)
                os._exit(bool(told))
            cases += 1
            path.write_bytes(data)
            began_s = time.process_time()
            try:
                read(path)
                took_s = time.process_time() - began_s
                assert took_s < SECONDS, f"{took_s:.1f} s of a processor"
            except PocketlensError:
                pass
            except Exception as error:  # noqa: BLE001 - what is not in words is what this looks for
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{type(error).__name__} at {last.filename}:{last.lineno}"
                if where not in told:
                    told.add(where)
                    text = base64.b64encode(data).decode()
                    print(
                        json.dumps({"kind": kind, "where": where, "error": str(error)[:200], "input": text}), flush=True
                    )

        with contextlib.suppress(PocketlensError):
            path.write_bytes(good)
            read(path)  # what is imported late is here before the clock runs
        options = [
            f"-timeout={WALL_SECONDS}",
            "-rss_limit_mb=4000",
            f"-seed={seed}",
            f"-max_len={max(_LARGEST, 2 * len(good))}",
        ]
        atheris.Setup(
            [sys.argv[0], *options, f"-artifact_prefix={tempfile.gettempdir()}/guided-{kind}-", str(corpus)], one
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:4]))
