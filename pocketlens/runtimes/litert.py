"""Plays ``.tflite`` files on the CPU, with ai-edge-litert or, where only that is installed, tflite-runtime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.runtimes import litert_library as library
from pocketlens.runtimes.adapter import Options, RuntimeInfo, user_errors
from pocketlens.runtimes.quiet import STDERR, quiet

if TYPE_CHECKING:
    from pocketlens.runtimes.litert_lean import LeanModel

_KINDS = (ValueError, RuntimeError)
"""ValueError: not a whole flatbuffer, or a name in it is no text. RuntimeError: an operator that this version does not
know, or that does not fit its tensors, which for some shows only when it runs."""


class Player:
    """A ``.tflite`` file. Inputs and outputs are the interpreter's own memory; numpy gets views of it.

    Raises:
        InputError: The file is damaged.
        MissingError: Only tflite-runtime is installed, beside numpy 2, with which it crashes.
    """

    def __init__(self, path: Path, options: Options) -> None:
        library.check_file(path)
        module = library.module()
        settings: dict[str, Any] = {"num_threads": options.threads}
        if options.accelerator == "none":
            settings["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        elif options.accelerator not in (None, "cpu", "xnnpack"):
            settings["experimental_delegates"] = [module.load_delegate(options.accelerator)]
        self._path = path
        # It writes "INFO: Created TensorFlow Lite XNNPACK delegate" to stderr.
        with user_errors(library.name(), path, _KINDS, "check the file, or update the runtime"), quiet(STDERR):
            self._interpreter = module.Interpreter(model_path=str(path), **settings)
            library.check_sizes(path, self._interpreter)
            library.resolve_sizes(self._interpreter, options.size)
            self._lean = _lean(path, self._interpreter, options)
            if self._lean is None:
                self._interpreter.allocate_tensors()
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            self.inputs, self.outputs = tuple(map(library.port, inputs)), tuple(map(library.port, outputs))
        self._feeds = [self._interpreter.tensor(detail["index"]) for detail in inputs]
        self._results = [self._interpreter.tensor(detail["index"]) for detail in outputs]
        self.runtime_info = RuntimeInfo(
            "litert",
            version(),
            options.threads or 1,  # the interpreter's own choice is one
            "fp32",
            library=library.LIBRARIES[library.name()],
            partitions=library.partitions(self._interpreter) if self._lean is None else None,
        )

    def feed(self, index: int) -> NDArray[Any]:
        return self._array(self._feeds[index]) if self._lean is None else self._lean.feeds[index]

    def run(self) -> None:
        with user_errors(library.name(), self._path, _KINDS, "check the file, or update the runtime"):
            (self._interpreter.invoke if self._lean is None else self._lean.run)()

    def result(self, index: int) -> NDArray[Any]:
        return self._array(self._results[index]) if self._lean is None else self._lean.results[index]

    def _array(self, tensor: Any) -> NDArray[Any]:
        # A damaged file can have an output that nothing computes; then there is no memory behind it.
        with user_errors(library.name(), self._path, _KINDS, "check the file, or update the runtime"):
            array: NDArray[Any] = tensor()
        return array

    def close(self) -> None:
        if self._lean is not None:
            self._lean.close()
        del self._feeds, self._results, self._interpreter


def _lean(path: Path, interpreter: Any, options: Options) -> "LeanModel | None":
    """The file in less memory; None where nobody asked for that, the file is small, or LiteRT cannot."""
    if not options.lean or options.accelerator not in (None, "cpu") or library.name() != "ai_edge_litert":
        return None
    from pocketlens.runtimes.litert_lean import LeanModel, is_large

    if not is_large(interpreter):
        return None
    try:
        return LeanModel(path, options.threads or 1)
    except (InputError, OSError):  # the interpreter takes more files, needs no process, and says what is wrong
        return None


def version() -> str:
    """The version of the library that plays."""
    return library.version()
