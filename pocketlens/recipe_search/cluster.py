"""Tasks on a Dask cluster: trainings wherever there is room, measurements on the worker that holds the device.

A worker is admitted when it has the same Pocketlens and libraries: it then gets a resource that every task wants, one
a worker, so that a measurement has its worker for itself. What tasks need and give are entries of the cache: where
workers have another cache folder than the searcher, they travel with the tasks, from the worker that has them.
"""

import asyncio
import queue
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pocketlens import files
from pocketlens.bench.multi_device import file_name
from pocketlens.errors import InputError, MissingError, require
from pocketlens.pipeline.stage_key import stage_key, toolchain
from pocketlens.progress import Progress, silent
from pocketlens.recipe_search.executors import Outcome, Task
from pocketlens.recipe_search.inputs import Inputs
from pocketlens.recipe_search.transport import pack, unpack

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_S = 10
_AWAY_S = 600.0
"""How long a scheduler may be away."""
_ADMIT_EVERY_S = 2.0
_TRIES = 5
_MARKER = "search-marker"


class ClusterExecutor:
    """Carries tasks out on a cluster that is already there.

    Args:
        address: ``dask://HOST:PORT`` of its scheduler.
        notify: Told of workers that are refused and of a scheduler that is waited for.

    Raises:
        InputError: The address is none.
        MissingError: distributed is not installed, or the scheduler does not answer.
    """

    def __init__(self, address: str, notify: Progress = silent) -> None:
        require("distributed", "cluster")
        if not address.startswith("dask://") or not address.rpartition(":")[2].isdecimal():
            raise InputError(f"{address!r} is no executor", do="give dask://HOST:PORT, the address of the scheduler")
        self._address = address.replace("dask://", "tcp://", 1)
        self._notify = notify
        self._version = files.key_of(code=stage_key())[:16]
        self._outcomes: queue.Queue[tuple[Task, Future]] = queue.Queue()
        self._running: dict[Task, tuple[Future, int]] = {}
        self._holders: dict[str, Future] = {}
        self._admitted: dict[str, set[str]] = {}
        self._refused: dict[str, str] = {}
        self._shared = True
        self._looked_s = 0.0
        self._client: Client = self._connect()
        self._admit()
        if not self._admitted:
            raise MissingError(
                f"the cluster at {address} has no worker that can be used"
                + "".join(f"; {why}" for why in self._refused.values()),
                do="start workers with the same Pocketlens: dask worker HOST:PORT --nthreads 1",
            )

    @property
    def trials(self) -> int:
        """A trial for each worker."""
        return max(1, len(self._admitted))

    def check(self, inputs: Inputs, devices: tuple[str, ...]) -> None:
        known = {name for names in self._admitted.values() for name in names}
        for device in devices:
            if (name := device_resource(device)) not in known:
                there = ", ".join(sorted(known)) or "none"
                raise InputError(
                    f"no worker holds {name}; devices that workers hold: {there}",
                    do=f"start the worker at that device with --resources {name}=1",
                )

    def submit(self, task: Task) -> None:
        self._submit(task, 1)

    def next(self, seconds: float) -> Outcome | None:
        if time.monotonic() - self._looked_s > _ADMIT_EVERY_S:
            self._stay_connected()
        try:
            task, future = self._outcomes.get(timeout=seconds)
        except queue.Empty:
            return None
        current, tries = self._running.get(task, (None, 0))
        if future is not current:  # of a connection that was lost; the task was given again
            return None
        return self._outcome(task, future, tries)

    def close(self) -> None:
        with suppress(Exception):  # the scheduler may be gone
            for future, _ in self._running.values():
                future.cancel()
            self._client.close(timeout=_CONNECT_S)

    def _outcome(self, task: Task, future: "Future", tries: int) -> Outcome | None:
        from distributed import CancelledError, KilledWorker

        try:
            # What stays is large, and another worker gets it from the one that has it.
            small = self._client.submit(_without_entries, future, resources=self._room()) if task.stays else future
            answer, entries = small.result()
            for name, data in entries.items():
                unpack(name, data)
        except (CancelledError, KilledWorker, OSError) as error:
            # The worker or the connection was lost, and with it what it held. The task is given again, and begins where
            # the last checkpoint that came here ends, or in a shared cache the last one at all.
            if tries < _TRIES:
                self._submit(task, tries + 1)
                return None
            del self._running[task]
            return task, None, MissingError(f"{task.name}: lost {tries} times: {error}", do="look at the cluster's log")
        except BaseException as error:  # noqa: BLE001 - of the task; the trial gets it
            del self._running[task]
            return task, None, error
        del self._running[task]
        if not self._shared:
            self._holders |= dict.fromkeys(task.gives(answer), future)
        return task, answer, None

    def _submit(self, task: Task, tries: int) -> None:
        wanted = self._room()
        if task.device:
            wanted[device_resource(task.device)] = 1
        future = self._client.submit(
            _carry_out, task.call, task.arguments, task.gives, self._shared, *self._given(task), resources=wanted,
            key=f"{task.name}-{uuid.uuid4().hex}", pure=False,
        )  # fmt: skip
        self._running[task] = future, tries
        future.add_done_callback(lambda done: self._outcomes.put((task, done)))

    def _room(self) -> dict[str, float]:
        """The resource of admitted workers, all that one has of it."""
        return {f"pocketlens-{self._version}": 1}

    def _given(self, task: Task) -> "list[Future]":
        """The results that hold what a task needs; what no worker holds is sent from this cache."""
        if self._shared:
            return []
        given = []
        for entry in dict.fromkeys(task.needs):
            holder = self._holders.get(entry)
            if holder is None or holder.status != "finished":
                data = pack(entry)
                if data is None:  # it was on a worker that is gone, which makes it again
                    continue
                (holder,) = self._client.scatter([(None, {entry: data})], hash=False)
                self._holders[entry] = holder
            given.append(holder)
        return given

    def _connect(self) -> "Client":
        import distributed

        try:
            with ThreadPoolExecutor(1) as thread:  # a notebook's thread has a loop already
                thread.submit(asyncio.run, _greet(self._address)).result()
            return distributed.Client(self._address, timeout=_CONNECT_S, set_as_default=False)
        except OSError as error:
            raise MissingError(
                f"the scheduler {self._address} does not answer: {str(error) or f'nothing came in {_CONNECT_S} s'}",
                do="start it: dask scheduler --port 8786",
            ) from error
        # distributed takes the first bytes for lengths, and fails in many ways at another service's.
        except Exception as error:
            raise MissingError(
                f"what answers at {self._address} is no Dask scheduler: {str(error)[:200] or type(error).__name__}",
                do="check the address: a scheduler prints its own when it starts",
            ) from error

    def _stay_connected(self) -> None:
        """Admit workers that came; after a lost connection give again what was running."""
        began = time.monotonic()
        while True:
            try:
                if self._client.status == "closed":
                    self._client = self._connect()
                    self._holders.clear()
                    self._admitted.clear()
                    self._admit()
                    for task, (_, tries) in list(self._running.items()):
                        self._submit(task, tries)
                elif self._client.status == "running":
                    self._admit()
            except (MissingError, OSError) as error:
                waited = time.monotonic() - began
                if waited > _AWAY_S:
                    raise MissingError(
                        f"the scheduler {self._address} has been away for {waited:.0f} s: {error}",
                        do="start the cluster again, then the same command: the search goes on where it was",
                    ) from error
                self._notify(f"waiting for the scheduler {self._address}: {waited:.0f} s", 0, 1)
                time.sleep(_ADMIT_EVERY_S)
            else:
                self._looked_s = time.monotonic()
                return

    def _admit(self) -> None:
        """Look at workers that are new: those of another version get no task, and are named."""
        workers = self._client.nthreads()
        for address in [name for name in self._admitted if name not in workers]:
            del self._admitted[address]
        new = [address for address in workers if address not in self._admitted and address not in self._refused]
        if not new:
            return
        marker = files.cache_folder() / _MARKER / uuid.uuid4().hex
        files.write(marker, "")
        seen = self._client.run(_look, str(marker.relative_to(files.cache_folder())), workers=new, on_error="return")
        for address, answer in seen.items():
            if isinstance(answer, Exception):
                self._refuse(address, address, f"cannot be used: {type(answer).__name__}: {answer}")
                continue
            name, version, tools, shares, resources = answer
            if version != self._version:
                self._refuse(address, f"{name} at {address}", _difference(tools))
                continue
            self._client.run(_grant, f"pocketlens-{self._version}", workers=[address])
            self._shared = self._shared and shares
            self._admitted[address] = {name for name in resources if name.startswith("device-")}
        files.remove(marker)

    def _refuse(self, address: str, name: str, why: str) -> None:
        self._refused[address] = f"{name} {why}"
        self._notify(f"worker {name} {why}", 0, 1)


async def _greet(address: str) -> None:
    """Connect once, for no longer than :data:`_CONNECT_S`: a client would wait without end for what a service that is
    silent has to say first.
    """
    from distributed.comm import connect

    (await asyncio.wait_for(connect(address, timeout=_CONNECT_S), _CONNECT_S)).abort()


def device_resource(device: str) -> str:
    """The resource of the worker that holds a device.

    Example:
        >>> device_resource("pi5=ssh://pi@10.0.0.5"), device_resource("local")
        ('device-pi5', 'device-local')
    """
    return f"device-{file_name(device.partition('=')[0])}"


def _carry_out(
    call: Callable[..., Any], arguments: tuple[Any, ...], gives: Callable[[Any], tuple[str, ...]], shared: bool,
    *given: tuple[Any, dict[str, bytes]],
) -> tuple[Any, dict[str, bytes]]:  # fmt: skip
    """On a worker: a task, its answer, and the entries that it made."""
    for _, entries in given:
        for name, data in entries.items():
            unpack(name, data)
    answer = call(*arguments)
    packed = {} if shared else {name: pack(name) for name in gives(answer)}
    return answer, {name: data for name, data in packed.items() if data is not None}


def _without_entries(result: tuple[Any, dict[str, bytes]]) -> tuple[Any, dict[str, bytes]]:
    return result[0], {}


def _look(marker: str, dask_worker: Any) -> tuple[str, str, dict[str, str], bool, list[str]]:
    """On a worker: its name, its version and libraries, whether it has the searcher's cache, and its resources."""
    shares = (files.cache_folder() / marker).exists()
    version = files.key_of(code=stage_key())[:16]
    return str(dask_worker.name), version, toolchain(), shares, list(dask_worker.state.total_resources)


async def _grant(resource: str, dask_worker: Any) -> None:
    """On a worker: room for one task of this version."""
    await dask_worker.set_resources(**{resource: 1})


def _difference(tools: Mapping[str, str]) -> str:
    own = toolchain()
    other = [
        f"{name} {tools.get(name, 'none')} instead of {own.get(name, 'none')}"
        for name in sorted({*own, *tools})
        if tools.get(name) != own.get(name)
    ]
    return f"is of another version: {', '.join(other) or 'other code of Pocketlens'}"
