"""Plays ``.aimodel`` folders with Apple's own Core AI runtime; on Linux on its generic CPU machine, to check files."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.runtimes import coreai_asset as assets
from pocketlens.runtimes.adapter import Options, RuntimeInfo, user_errors
from pocketlens.runtimes.ports import Port
from pocketlens.runtimes.quiet import STDERR, quiet


class Player:
    """A folder, played by its entry point for arrays.

    The runtime is asynchronous. A thread of the player's own runs its event loop, so that it plays within a program
    that has one already, a notebook for instance. It has no option for the number of threads.
    """

    def __init__(self, path: Path, options: Options) -> None:
        assets.check(path)
        self._path = path
        self._home = contextlib.AsyncExitStack()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="coreai")
        self._loop = asyncio.new_event_loop()
        try:
            self._await(self._load())
        except BaseException:
            self.close()
            raise
        self._feeds = [port.allocate() for port in self.inputs]
        self._results: dict[str, Any] = {}

    async def _load(self) -> None:
        from coreai.authoring import AIModelAsset

        asset = AIModelAsset.load(self._path)
        summary = asset.summary()
        if summary is None:
            raise assets.damaged(self._path, "it holds no program")
        name = assets.array_function(self._path, summary)
        model = await self._home.enter_async_context(asset.executable())
        with quiet(STDERR):
            self._function = model.load_function(name)
        description = self._function.desc
        self.inputs = tuple(_port(name, description.input_descriptor(name)) for name in description.input_names)
        self.outputs = tuple(_port(name, description.output_descriptor(name)) for name in description.output_names)
        for port in (*self.inputs, *self.outputs):
            if not port.fixed:
                raise InputError(f"{self._path} leaves the shape of {port} open", do="convert it for a fixed size")
        precision = "fp16" if "Float16" in summary.compute_types else "fp32"
        self.runtime_info = RuntimeInfo("coreai", version(), None, precision, interpreted=True)

    def _await(self, coroutine: Any) -> Any:
        # Parsing raises RuntimeErrors and numpy's own errors, the compiler an MLIRError, the runtime Swift's errors.
        with user_errors("Core AI", self._path, Exception, "check the file"):
            return self._thread.submit(self._loop.run_until_complete, coroutine).result()

    def feed(self, index: int) -> NDArray[Any]:
        return self._feeds[index]

    def run(self) -> None:
        self._await(self._play())

    async def _play(self) -> None:
        from coreai.runtime import NDArray as Tensor

        inputs = {port.name: Tensor(feed) for port, feed in zip(self.inputs, self._feeds, strict=True)}
        self._results = await self._function(inputs)

    def result(self, index: int) -> NDArray[Any]:
        array: NDArray[Any] = self._results[self.outputs[index].name].numpy()
        return array

    def close(self) -> None:
        self._results = {}
        if hasattr(self, "_function"):
            del self._function
        self._thread.submit(self._loop.run_until_complete, self._home.aclose()).result()
        self._thread.submit(self._loop.close).result()
        self._thread.shutdown()


def _port(name: str, description: Any) -> Port:
    return Port(name, str(np.dtype(description.dtype)), tuple(description.shape))


def version() -> str:
    """The installed coreai-core's version, without importing it."""
    return metadata.version("coreai-core")
