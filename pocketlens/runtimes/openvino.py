"""Plays OpenVINO IR (``.xml`` with its ``.bin``) and ``.onnx`` files with OpenVINO."""

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from pocketlens.errors import MissingError
from pocketlens.runtimes.adapter import Options, RuntimeInfo, user_errors
from pocketlens.runtimes.openvino_cache import compile_or_import
from pocketlens.runtimes.openvino_ports import ports, with_pixels

_HINTS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16", "auto": "dynamic"}
_NAMES = {"f32": "fp32", "f16": "fp16"}
_DO = "check the file, and the .bin beside an .xml"


@functools.cache
def core() -> Any:
    """One core for the whole process: when the last core is freed, its threads end, and that can crash a thread that
    has played.
    """
    return ov.Core()  # decision 12 in the documentation has the details


class Player:
    """An IR or ``.onnx`` file. Inputs and outputs are OpenVINO's own tensors; numpy gets views of them."""

    def __init__(self, path: Path, options: Options) -> None:
        opened, device = core(), (options.accelerator or "cpu").upper()
        if device != "AUTO" and not any(name.split(".")[0] == device for name in opened.available_devices):
            available = ", ".join(opened.available_devices).lower()
            raise MissingError(
                f"OpenVINO finds no {device.lower()} here, it finds {available}", do="choose another device"
            )
        # By default OpenVINO computes in bf16 on CPUs that have it, which loses 40 dB. So fp32 is requested, and the
        # precision that it really uses is read back into ``runtime_info``.
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if options.compute_precision != "auto":
            settings["INFERENCE_PRECISION_HINT"] = _HINTS[options.compute_precision or "fp32"]
        if options.threads:
            settings["INFERENCE_NUM_THREADS"] = options.threads
        self._path = path
        with user_errors("openvino", path, RuntimeError, _DO, last=True):
            model = opened.read_model(path)
            if model.is_dynamic():
                shapes = [port.shape for port in ports(model.inputs, options.size)]
                model.reshape({i: [n if isinstance(n, int) else -1 for n in shape] for i, shape in enumerate(shapes)})
            exact = (
                device == "CPU" and settings.get("INFERENCE_PRECISION_HINT") == "f32"
            )  # other devices were not tried
            if options.pixels and exact and (drawn := with_pixels(model)):
                model, self.exact = drawn, lambda: Player(path, replace(options, pixels=False))
            self.inputs, self.outputs = ports(model.inputs), ports(model.outputs)
            self._model = compile_or_import(opened, model, device, settings, path, options)
            self._request = self._model.create_infer_request()
        effective = self._model.get_property("INFERENCE_PRECISION_HINT").to_string() if device == "CPU" else ""
        threads = self._model.get_property("INFERENCE_NUM_THREADS") if device == "CPU" else None
        self.runtime_info = RuntimeInfo("openvino", version(), threads, _NAMES.get(effective, effective))

    def feed(self, index: int) -> NDArray[Any]:
        return np.asarray(self._request.get_input_tensor(index).data)

    def run(self) -> None:
        with user_errors("openvino", self._path, RuntimeError, _DO, last=True):
            self._request.infer()

    def result(self, index: int) -> NDArray[Any]:
        return np.asarray(self._request.get_output_tensor(index).data)

    def close(self) -> None:
        del self._request, self._model


def version() -> str:
    """The installed OpenVINO's version."""
    return str(ov.__version__).split("-")[0]
