"""Plays ``.onnx`` files with onnxruntime."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from pocketlens.errors import MissingError
from pocketlens.runtimes.adapter import Options, RuntimeInfo, user_errors
from pocketlens.runtimes.ports import Port, resolve_shape

_DTYPES = {"float": "float32", "double": "float64"}
_PROVIDERS = {"cpu": "CPU", "gpu": "CUDA", "xnnpack": "Xnnpack", "coreml": "CoreML"}


class Player:
    """An ``.onnx`` file. Arrays for the inputs are allocated once, and for outputs whose shapes are known."""

    def __init__(self, path: Path, options: Options) -> None:
        name = options.accelerator or "cpu"
        provider = f"{_PROVIDERS.get(name, name.upper())}ExecutionProvider"
        if provider not in ort.get_available_providers():
            available = ", ".join(
                name.removesuffix("ExecutionProvider").lower() for name in ort.get_available_providers()
            )
            raise MissingError(f"this onnxruntime has no {name!r}, it has {available}", do="install one that has it")
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads or 0
        settings.log_severity_level = 4
        if options.lean:
            settings.enable_cpu_mem_arena = settings.enable_mem_pattern = False
        self._path = path
        with user_errors("onnxruntime", path, Exception, "check the file"):
            providers = list(dict.fromkeys((provider, "CPUExecutionProvider")))
            self._session = ort.InferenceSession(str(path), settings, providers=providers)
            self.inputs = tuple(port_of(node, options.size) for node in self._session.get_inputs())
            self.outputs = tuple(port_of(node, None) for node in self._session.get_outputs())
            self._bound = self._session.io_binding()
            self._feeds = [port.allocate() for port in self.inputs]
            self._results = [port.allocate() for port in self.outputs]
            for port, array in zip(self.inputs, self._feeds, strict=True):
                self._bound.bind_input(port.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
            for port, array in zip(self.outputs, self._results, strict=True):
                where = (0, array.dtype, array.shape, array.ctypes.data) if port.fixed else ()
                self._bound.bind_output(port.name, "cpu", *where)
            if not all(port.fixed for port in self.outputs) and all(port.fixed for port in self.inputs):
                self.outputs = self._settled()
        delegate = name if name != "cpu" else None
        self.runtime_info = RuntimeInfo("onnxruntime", version(), options.threads, "fp32", delegate)

    def feed(self, index: int) -> NDArray[Any]:
        return self._feeds[index]

    def run(self) -> None:
        with user_errors("onnxruntime", self._path, Exception, "check the file"):
            self._session.run_with_iobinding(self._bound)

    def result(self, index: int) -> NDArray[Any]:
        array = self._results[index]
        return array if array.size else self._bound.get_outputs()[index].numpy()

    def _settled(self) -> tuple[Port, ...]:
        """The outputs with the shapes that they really have, where the file leaves them open."""
        self.run()
        shapes = [value.shape() for value in self._bound.get_outputs()]
        return tuple(replace(port, shape=tuple(shape)) for port, shape in zip(self.outputs, shapes, strict=True))

    def close(self) -> None:
        del self._bound, self._session


def port_of(node: Any, size: tuple[int, int] | None) -> Port:
    """An input or output as onnxruntime describes it; ``size`` fills in open axes of a picture."""
    kind = node.type.removeprefix("tensor(").removesuffix(")")
    return Port(node.name, _DTYPES.get(kind, kind), resolve_shape(node.shape, size))


def version() -> str:
    """The installed onnxruntime's version."""
    return str(ort.__version__)
