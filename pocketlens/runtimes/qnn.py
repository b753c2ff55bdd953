"""Plays files that are compiled for a Snapdragon's NPU in Qualcomm's own emulator of it, with onnxruntime-qnn."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort
import onnxruntime_qnn
from numpy.typing import NDArray

from pocketlens.runtimes.adapter import Options, RuntimeInfo, user_errors
from pocketlens.runtimes.onnxruntime import port_of
from pocketlens.runtimes.ports import Port
from pocketlens.runtimes.quiet import STDOUT, quiet

_DO = "check the file and the .bin beside it, or convert again with the onnxruntime-qnn that is installed"


@functools.cache
def _devices() -> list[Any]:
    """The emulator, as onnxruntime knows it; the library is registered once a process."""
    name = onnxruntime_qnn.get_ep_name()
    ort.register_execution_provider_library(name, onnxruntime_qnn.get_library_path())
    return [device for device in ort.get_ep_devices() if device.ep_name == name]


def open_session(model: bytes | Path, settings: Mapping[str, str], soc_model: int, **options: str) -> Any:
    """An onnxruntime session on the emulator.

    Args:
        model: An ONNX model, or the path of one.
        settings: Entries of the session's configuration.
        soc_model: The number of the chip.
        options: More options of the provider.

    Raises:
        Exception: Of onnxruntime's own kinds, where the model or the binary beside it cannot be taken.
    """
    session_options = ort.SessionOptions()
    session_options.log_severity_level = 4
    for key, value in settings.items():
        session_options.add_session_config_entry(key, value)
    provider = {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        "soc_model": str(soc_model),
        "enable_htp_fp16_precision": "1",
        "htp_graph_finalization_optimization_mode": "3",
        "offload_graph_io_quantization": "0",  # else the processor would turn bytes into floats and back
        **options,
    }
    with quiet(STDOUT):  # --json has its document there
        session_options.add_provider_for_devices(_devices(), provider)
        source = model if isinstance(model, bytes) else str(model)
        return ort.InferenceSession(source, session_options, enable_fallback=0)  # an error, not another provider


class Player:
    """A compiled ``.onnx`` file with its ``.bin``.

    Attributes:
        chip: The chip that it is for, as it is sold.
        left_to_cpu: The operators that the NPU does not compute, each once.
    """

    def __init__(self, path: Path, options: Options) -> None:
        self._path = path
        with user_errors("onnxruntime-qnn", path, Exception, _DO):
            # The binary says for which chip it is: the emulator wants no number for it.
            self._session = open_session(path, {}, 0, enable_htp_fp16_precision="0")
            said = self._session.get_modelmeta().custom_metadata_map
            self.inputs: tuple[Port, ...] = tuple(port_of(node, options.size) for node in self._session.get_inputs())
            self.outputs: tuple[Port, ...] = tuple(port_of(node, None) for node in self._session.get_outputs())
        self.chip = str(said.get("chip_title", "chip"))
        self.left_to_cpu = tuple(name for name in said.get("left_to_cpu", "").split(",") if name)
        self._feeds = [port.allocate() for port in self.inputs]
        self._results: list[NDArray[Any]] = []
        self.runtime_info = RuntimeInfo(
            "qnn", version(), None, said.get("precision", ""), said.get("chip"), interpreted=True
        )

    def feed(self, index: int) -> NDArray[Any]:
        return self._feeds[index]

    def run(self) -> None:
        feeds = {port.name: array for port, array in zip(self.inputs, self._feeds, strict=True)}
        with user_errors("onnxruntime-qnn", self._path, Exception, _DO):
            self._results = self._session.run(None, feeds)

    def result(self, index: int) -> NDArray[Any]:
        return self._results[index]

    def close(self) -> None:
        del self._session


def version() -> str:
    """The installed onnxruntime-qnn's version."""
    return str(onnxruntime_qnn.__version__)
