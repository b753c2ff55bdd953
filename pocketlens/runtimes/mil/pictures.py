"""The picture input and output of a package, as its description declares them."""

from pathlib import Path
from typing import Any

from pocketlens.errors import InputError
from pocketlens.runtimes.mil import package as packages
from pocketlens.runtimes.mil.program import Program
from pocketlens.runtimes.ports import Port

_RGB, _BGR = 20, 30
"""``ImageFeatureType.ColorSpace`` in the specification."""


def ports(path: Path, description: Any, program: Program) -> tuple[Port, ...]:
    """The input that is a picture, and the outputs, the picture first.

    Args:
        path: The package, for messages.
        description: The model's, from the specification.
        program: The shape of its own input gives the size where the description has none.

    Raises:
        InputError: The numbers of inputs and outputs differ from the program's, the size is open, or the colours are
            not RGB or BGR.
    """
    if (len(description.input), len(description.output)) != (1 + len(program.others), len(program.results)):
        raise packages.damaged(path, "its description does not have its program's inputs and outputs")
    image, outputs = description.input[0], list(description.output)
    stylized, beside = outputs[0], outputs[1:]
    size = _size(path, image, program.image.type.shape)
    return (
        Port(image.name, "float32", (1, 3, *size), reverse=_reversed(path, image)),
        Port(
            stylized.name, "float32", (1, 3, *_size(path, stylized, (1, 3, *size))), reverse=_reversed(path, stylized)
        ),
        *(Port(other.name, "float32", tuple(other.type.multiArrayType.shape)) for other in beside),
    )


def _size(path: Path, feature: Any, shape: tuple[int | None, ...]) -> tuple[int, int]:
    if feature.type.WhichOneof("Type") == "imageType":
        return int(feature.type.imageType.height), int(feature.type.imageType.width)
    if len(shape) != 4 or shape[2] is None or shape[3] is None:
        raise InputError(
            f"{path} has an input of {list(shape)}, expected [1, 3, height, width]", do="convert it for a fixed size"
        )
    return shape[2], shape[3]


def _reversed(path: Path, feature: Any) -> bool:
    """Whether Core ML passes this picture in the order blue, green, red."""
    if feature.type.WhichOneof("Type") != "imageType":
        return False
    space = feature.type.imageType.colorSpace
    if space not in (_RGB, _BGR):
        raise InputError(f"{path}: {feature.name!r} is not a colour picture", do="convert it with RGB pictures")
    return bool(space == _BGR)
