"""Plays ``.mlpackage`` folders with Core ML itself, on macOS: picture in, picture out."""

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketlens.errors import InputError
from pocketlens.runtimes import apple
from pocketlens.runtimes.adapter import Options, RuntimeInfo, user_errors
from pocketlens.runtimes.mil import package
from pocketlens.runtimes.ports import Port

_UNITS = {"auto": "ALL", "cpu": "CPU_ONLY", "gpu": "CPU_AND_GPU", "npu": "CPU_AND_NE"}


class Player:
    """A package. coremltools takes pictures as Pillow images; Core ML has no option for the number of threads."""

    def __init__(self, path: Path, options: Options) -> None:
        ct = apple.coremltools()
        units = getattr(ct.ComputeUnit, _UNITS[options.accelerator or "auto"])
        self._path = path
        package.read(path)  # nothing that it names lies outside of it
        # Core ML's compiler reports through RuntimeErrors, coremltools' own reader through several other types.
        with user_errors("Core ML", path, Exception, "check the package"):
            self._model = ct.models.MLModel(str(path), compute_units=units)
        description = self._model.get_spec().description
        image, *others = sorted(description.input, key=lambda feature: feature.type.WhichOneof("Type") != "imageType")
        stylized = description.output[0]
        if {image.type.WhichOneof("Type"), stylized.type.WhichOneof("Type")} != {"imageType"}:
            raise InputError(
                f"{path} does not have a picture as input and output", do="convert it with pictures in and out"
            )
        shape = (1, int(image.type.imageType.height), int(image.type.imageType.width), 3)
        self.inputs = (
            Port(image.name, "uint8", shape),
            *(Port(other.name, "float32", tuple(other.type.multiArrayType.shape)) for other in others),
        )
        self.outputs = (Port(stylized.name, "uint8", shape),)
        self._feeds = [np.zeros(port.shape, port.dtype) for port in self.inputs]
        self._result = np.zeros(shape, np.uint8)
        # Core ML chooses the unit, the precision within it and the threads by itself, and does not say which.
        precision = self._model.user_defined_metadata.get("pocketlens.precision", "unknown")
        self.runtime_info = RuntimeInfo("coreml", version(), None, precision, system=f"macOS {platform.mac_ver()[0]}")

    def feed(self, index: int) -> NDArray[Any]:
        return self._feeds[index]

    def run(self) -> None:
        with user_errors("Core ML", self._path, Exception, "check the package"):
            arrays = {port.name: feed for port, feed in zip(self.inputs, self._feeds, strict=True)}
            outputs = self._model.predict({**arrays, self.inputs[0].name: Image.fromarray(self._feeds[0][0])})
        self._result = np.asarray(outputs[self.outputs[0].name].convert("RGB"))[None]

    def result(self, index: int) -> NDArray[Any]:
        return self._result

    def close(self) -> None:
        del self._model


def version() -> str:
    """The installed coremltools' version."""
    return metadata.version("coremltools")
