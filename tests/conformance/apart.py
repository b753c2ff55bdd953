"""Plays cases in a process of its own, which may crash or hang, and finds the case that is the reason."""

import os
import signal
import traceback
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from tests.conformance.batch import Unclear, Verdict, play
from tests.conformance.case import Case

SECONDS = 60.0
"""What a file may take, and for each case 10 s more: after it the process is killed."""
_SECONDS_A_CASE = 10.0


class Players:
    """A process that plays cases on one accelerator; it is started again after it crashed or hung."""

    def __init__(self, accelerator: str, precision: str) -> None:
        self._how = accelerator, precision
        self._process: Any = None

    def verdicts(self, cases: Sequence[Case]) -> list[Verdict]:
        """What the accelerator makes of each case. A file that fails as a whole is halved until the case is found."""
        try:
            return self._ask(cases)
        except Unclear as error:
            if len(cases) == 1:
                return [Verdict("wrong", reason=str(error))]
        half = len(cases) // 2
        return [*self.verdicts(cases[:half]), *self.verdicts(cases[half:])]

    def _ask(self, cases: Sequence[Case]) -> list[Verdict]:
        if self._process is None:
            self._start()
        try:
            self._connection.send((list(cases), *self._how))
            if not self._connection.poll(SECONDS + _SECONDS_A_CASE * len(cases)):
                raise Unclear("it does not end")
            answer: list[Verdict] | str = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(10)
            code = self._process.exitcode
            self.close()
            raise Unclear(f"the process ended with code {code}") from None
        except Unclear:
            self.close()
            raise
        if isinstance(answer, str):
            raise Unclear(answer)
        return answer

    def _start(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_answer, args=(theirs,), daemon=False)
        self._process.start()
        theirs.close()

    def close(self) -> None:
        """End the process and what it has started."""
        if self._process is not None:
            self._connection.close()
            if self._process.is_alive():
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.join()
            self._process = None

    def __enter__(self) -> "Players":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _answer(connection: Connection) -> None:
    os.setsid()  # a group of its own, so that engines which it starts end with it
    while True:
        try:
            cases, accelerator, precision = connection.recv()
        except EOFError:
            return
        try:
            connection.send(play(cases, accelerator, precision))
        except Unclear as error:
            connection.send(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours or of the engine: the case is found, then told
            where = traceback.extract_tb(error.__traceback__)[-1]
            first = (str(error).strip().splitlines() or [""])[0]
            connection.send(f"{type(error).__name__} in {where.name}: {first}")
