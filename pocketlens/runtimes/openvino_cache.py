"""Compiled OpenVINO models, kept in the user's own cache: loading a small filter again takes half of the time.

The key is the content of the artifact, OpenVINO's version, the processor, all settings, and what the model takes and
gives; a bundle's author can put nothing there. An entry that is damaged is made again, since the cache checks its hash.
"""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import openvino as ov

from pocketlens import files, machine
from pocketlens.errors import InputError
from pocketlens.runtimes.adapter import Options
from pocketlens.runtimes.openvino_ports import ports

_LARGEST = 32_000_000
"""Bytes of an artifact. A larger one is mostly weights: hashing and reading them takes what compiling takes."""
_NAME = "compiled.blob"


def compile_or_import(
    core: Any, model: ov.Model, device: str, settings: Mapping[str, Any], path: Path, options: Options
) -> Any:
    """The compiled model, from the cache where it is there.

    Args:
        core: OpenVINO's core.
        model: The model as it is to be compiled.
        device: OpenVINO's name of the device; only ``CPU`` is kept.
        settings: OpenVINO's settings.
        path: The artifact that the model was read from.
        options: What the caller asked for, from which ``model`` and ``settings`` were made.
    """
    # An .onnx file may keep weights in other files, which its own hash does not cover.
    kept = options.keep_compiled and device == "CPU" and path.suffix == ".xml"
    if not kept or files.artifact_bytes(path) > _LARGEST:
        return core.compile_model(model, device, settings)
    key = files.key_of(
        content=[files.sha256(file) for file in files.artifact_files(path)],
        settings={name: str(value) for name, value in settings.items()},
        options=asdict(options),
        ports=[str(port) for port in (*ports(model.inputs), *ports(model.outputs))],
        openvino=str(ov.__version__),
        cpu=machine.cpu(),
    )
    if (folder := files.lookup("openvino", key)) is not None:
        try:
            return core.import_model(io.BytesIO((folder / _NAME).read_bytes()), device, settings)
        except (OSError, RuntimeError):  # swept away meanwhile, or not to OpenVINO's liking
            return core.compile_model(model, device, settings)
    compiled = core.compile_model(model, device, settings)
    blob = compiled.export_model()
    with contextlib.suppress(InputError):  # no room, or a cache that cannot be written to: the model plays all the same
        files.cached("openvino", key, lambda folder: files.write(folder / _NAME, blob.getvalue()))
    return compiled
