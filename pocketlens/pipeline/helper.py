"""A helper of a build (:mod:`pocketlens.pipeline.helpers`): ``python -m pocketlens.pipeline.helper CONNECTION LOCKS
TARGET``, with descriptors of both.
"""

import atexit
import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import NoReturn

from pocketlens.converters.emitter import emitter
from pocketlens.memory import large_blocks_returned, return_small_blocks
from pocketlens.pipeline.compile import CompiledSize
from pocketlens.pipeline.forms import emit_first_right, first_form
from pocketlens.pipeline.helpers import Batch, Locks
from pocketlens.pipeline.placements import place_all
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.progress import silent
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import target_named

_END_S = 5.0
"""How long what is computed when the build ends may take to be left."""


@large_blocks_returned()
def main(connection: int, locks: int, first: str) -> None:
    """Work until the build ends or is killed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    batches: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(Connection(connection), batches, threading.get_ident()), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        _import_for(first)
        while True:
            _work(pickle.loads(batches.get()), Locks(locks), first)


def _listen(connection: Connection, batches: "queue.Queue[bytes]", worker: int) -> NoReturn:
    try:
        with contextlib.suppress(EOFError, OSError):
            while True:
                batches.put(connection.recv_bytes())
    finally:
        # So that nothing is left in the cache or in temporary folders. _thread.interrupt_main would wake no queue.
        signal.pthread_kill(worker, signal.SIGTERM)
        time.sleep(_END_S)
        os._exit(1)


def _import_for(target: str) -> None:
    """What making a target's files imports and looks up once, while the build makes their graph."""
    from pocketlens.converters.quantization import settings  # noqa: F401
    from pocketlens.converters.rewrites import registry  # noqa: F401

    stage_key()
    with contextlib.suppress(ImportError):
        emitter(target)
        for runtime in ("onnxruntime", target_named(target).runtimes[0]):
            RUNTIMES[runtime].version()


def _work(batch: Batch, locks: Locks, first: str) -> None:
    """Make the artifacts that nobody works on.

    One target after the other, since those of one target share calibrations; the last of a target first, so that a
    helper and the build, who come to the same target, meet in the middle.
    """
    targets = list(dict.fromkeys(request.spec.target for request in batch.requests.values()))
    begin = targets.index(first) if first in targets else 0
    for target in (*targets[begin:], *targets[:begin]):
        made = []
        for number, request in reversed(list(batch.requests.items())):
            if request.spec.target == target:
                return_small_blocks()
                with locks.held(number, "made", wait=False) as free, contextlib.suppress(Exception):
                    if free:
                        made.append((number, request, emit_first_right(first_form(request))[1]))
        for number, request, artifact in made:
            with locks.held(number, "placed", wait=False) as free, contextlib.suppress(Exception):
                if free:
                    place_all([CompiledSize(request.evaluation, (artifact,))], batch.accelerators, silent)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    atexit._run_exitfuncs()  # which deletes temporary folders; the build waits, so the libraries are not taken apart
    os._exit(0)
