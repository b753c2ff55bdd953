"""Where tasks are carried out: on this machine here, on a cluster in :mod:`pocketlens.recipe_search.cluster`."""

import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from pocketlens.errors import InputError
from pocketlens.recipe_search.inputs import Inputs

_TRIES = 3
"""How often a task is given to a new process when its process was ended."""


def nothing(answer: Any) -> tuple[str, ...]:
    """The entries of a task that makes none."""
    return ()


@dataclass(frozen=True, eq=False)
class Task:
    """One call.

    Attributes:
        name: For people.
        call: A function of a module, with plain data as arguments and answer.
        arguments: Of the call.
        device: The device that is measured; such a task runs alone on its machine. Empty for all others.
        needs: Entries of the cache that it reads, relative to the cache's folder.
        gives: Gives the entries that it made, from its answer.
        stays: Whether these are too large to be brought to the searcher.
    """

    name: str
    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    device: str = ""
    needs: tuple[str, ...] = ()
    gives: Callable[[Any], tuple[str, ...]] = nothing
    stays: bool = False


Outcome = tuple[Task, Any, BaseException | None]


class Executor(Protocol):
    """Carries out tasks; several at a time, but a measurement alone."""

    @property
    def trials(self) -> int:
        """How many trials it has room for at a time."""
        ...

    def check(self, inputs: Inputs, devices: tuple[str, ...]) -> None:
        """Refuse what cannot be carried out, before anything is begun."""
        ...

    def submit(self, task: Task) -> None:
        """Carry a task out as soon as there is room."""
        ...

    def next(self, seconds: float) -> Outcome | None:
        """The next outcome, its answer or its error; None if there is none in so many seconds."""
        ...

    def close(self) -> None:
        """End what is still running."""
        ...


class LocalExecutor:
    """Processes of this machine. While one measures, no other runs.

    Args:
        trials: Trials at a time.
    """

    def __init__(self, trials: int = 1) -> None:
        self._trials = trials
        self._pool: ProcessPoolExecutor | None = None
        self._measuring = ThreadPoolExecutor(1)
        self._waiting: list[tuple[Task, int]] = []
        self._running: dict[Task, tuple[int, Any]] = {}
        self._outcomes: queue.Queue[Outcome] = queue.Queue()

    @property
    def trials(self) -> int:
        return self._trials

    def check(self, inputs: Inputs, devices: tuple[str, ...]) -> None:
        """Everything can be carried out here."""

    def submit(self, task: Task) -> None:
        self._waiting.append((task, 1))
        self._start()

    def next(self, seconds: float) -> Outcome | None:
        try:
            task, answer, error = self._outcomes.get(timeout=seconds)
        except queue.Empty:
            return None
        tries, pool = self._running.pop(task)
        if isinstance(error, BrokenProcessPool):
            if pool is self._pool:
                self._close_pool()
            if tries < _TRIES:
                self._waiting.append((task, tries + 1))
                self._start()
                return None
            error = InputError(f"{task.name}: its process was ended {tries} times", do="see whether memory is short")
        self._start()
        return task, answer, error

    def close(self) -> None:
        self._close_pool(kill=True)
        self._measuring.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        """Begin what may begin: a measurement only alone, and nothing beside it."""
        while self._waiting and not any(task.device for task in self._running):
            measurement = next((entry for entry in self._waiting if entry[0].device), None)
            if measurement is not None and self._running:
                return
            entry = measurement or self._waiting[0]
            if len(self._running) >= self._trials:
                return
            self._waiting.remove(entry)
            task, tries = entry
            pool = self._measuring if task.device else self._processes()
            self._running[task] = tries, pool
            pool.submit(task.call, *task.arguments).add_done_callback(self._collector(task))

    def _collector(self, task: Task) -> Callable[["Future[Any]"], None]:
        def collect(future: "Future[Any]") -> None:
            if not future.cancelled():
                error = future.exception()
                self._outcomes.put((task, None if error else future.result(), error))

        return collect

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._trials, spawn, _end_with_parent, (os.getpid(),))
        return self._pool

    def _close_pool(self, kill: bool = False) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((pool._processes or {}).values()) if kill else ():
            process.kill()
        pool.shutdown(wait=not kill, cancel_futures=True)


def _end_with_parent(parent: int) -> None:
    """A process whose search was killed must not go on writing to its training."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
