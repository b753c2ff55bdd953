"""LiteRT's newer interface in a process: ``python -m pocketlens.runtimes.litert_process_worker DESCRIPTOR`` for the
GPU's engine. With a number of threads behind, the processor's in little memory.

The process answers on a socket; what engine and driver print stays with whoever started it. Arrays are exchanged in
files that both sides map into memory.

=====================  ================================================================================
asked                  answered
=====================  ================================================================================
``load``, file, folder  ``loaded``, inputs, outputs (of :class:`~pocketlens.runtimes.ports.Port`), whole
``run``                 ``ran``: the outputs' files hold the result
=====================  ================================================================================

Where something fails the answer is ``error`` and a message.
"""

import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.errors import PocketlensError
from pocketlens.runtimes import litert_library as library
from pocketlens.runtimes import vulkan
from pocketlens.runtimes.ports import Port

_INTEGERS, _TRANSIENT_POINTERS = 0x3, 0x20
"""Of XNNPACK's flags (``xnnpack_delegate.h``) those that LiteRT sets by itself, signed and unsigned integers, and the
one that saves memory.
"""


class _Engine:
    """The GPU's engine with at most one file loaded."""

    def __init__(self) -> None:
        vulkan.prepare()
        from ai_edge_litert.environment import Environment

        self._environment = Environment.create()
        self._model: Any = None

    def options(self) -> Any:
        from ai_edge_litert.compiled_model import HardwareAccelerator, Options

        # Not the GPU alone: else a file that is partly on it cannot play.
        return Options(hardware_accelerators=HardwareAccelerator.GPU | HardwareAccelerator.CPU)

    def load(self, path: str, folder: str) -> tuple[Any, ...]:
        from ai_edge_litert.compiled_model import CompiledModel

        inputs, outputs = _ports(Path(path))
        self._model = CompiledModel.from_file(path, environment=self._environment, options=self.options())
        self._buffers = (self._model.create_input_buffers(0), self._model.create_output_buffers(0))
        self._arrays = tuple(
            [
                np.memmap(Path(folder) / f"{kind}{i}", port.dtype, "w+", shape=port.shape or (1,))
                for i, port in enumerate(ports)
            ]
            for kind, ports in (("input", inputs), ("output", outputs))
        )
        return "loaded", inputs, outputs, self._model.is_fully_accelerated()

    def run(self) -> tuple[Any, ...]:
        for buffer, array in zip(self._buffers[0], self._arrays[0], strict=True):
            buffer.write(np.asarray(array))
        self._model.run_by_index(0, *self._buffers)
        for buffer, array in zip(self._buffers[1], self._arrays[1], strict=True):
            array[...] = buffer.read(array.size, array.dtype.type).reshape(array.shape)
        return ("ran",)


class _LeanEngine(_Engine):
    """The processor's engine with at most one file loaded."""

    def __init__(self, threads: int) -> None:
        from ai_edge_litert.environment import Environment, EnvironmentOptions

        self._threads = threads
        nowhere = str(Path(__file__).parent)  # else it looks for what drives NPUs, and loads it
        self._environment = Environment.create(
            options=EnvironmentOptions(compiler_plugin_path=nowhere, dispatch_library_path=nowhere)
        )
        self._model = None

    def options(self) -> Any:
        from ai_edge_litert.compiled_model import CpuOptions, Options

        cpu = CpuOptions(num_threads=self._threads, xnnpack_flags=_INTEGERS | _TRANSIENT_POINTERS)
        return Options(cpu_options=cpu)


def _ports(path: Path) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and outputs of a file, in the engine's order."""
    library.check_file(path)
    interpreter = library.module().Interpreter(model_path=str(path))
    library.check_sizes(path, interpreter)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return tuple(map(library.port, inputs)), tuple(map(library.port, outputs))


def main(descriptor: int, lean_threads: int | None = None) -> None:
    """Answer until the other side is gone."""
    with Connection(descriptor) as connection:
        engine = _Engine() if lean_threads is None else _LeanEngine(lean_threads)
        while True:
            try:
                command, *arguments = connection.recv()
            except EOFError:
                return
            try:
                answer = getattr(engine, command)(*arguments)
            except PocketlensError as error:
                answer = "error", error.what
            except (RuntimeError, ValueError) as error:
                answer = "error", str(error)
            connection.send(answer)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
