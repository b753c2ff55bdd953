"""The inputs and outputs of an OpenVINO model, and their replacement by pixels.

OpenVINO converts pixels to floats and back with its own kernels, on its own threads, in a tenth of numpy's time.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import openvino as ov
from openvino import opset13 as ops

from pocketlens.runtimes.ports import Port, resolve_shape

_DTYPES = {"f32": "float32", "f16": "float16", "u8": "uint8", "i8": "int8"}


def ports(nodes: Iterable[Any], size: tuple[int, int] | None = None) -> tuple[Port, ...]:
    """A model's inputs or outputs; ``size`` fills in height and width where the model leaves them open."""
    return tuple(_port(node, size) for node in nodes)


def with_pixels(model: ov.Model) -> ov.Model | None:
    """The model with ``uint8 [1, H, W, 3]`` as its picture input and ``uint8 [1, 3, H, W]`` as its output, rounded half
    to even. It could interleave the output as well, in three times the time that numpy takes.

    The model itself is changed. None, and the model unchanged, where the pictures are not ``float32 [1, 3, H, W]``.
    """
    inputs = ports(model.inputs)
    first, last = _picture_index(inputs), _picture_index(ports(model.outputs))
    if first is None or last is None:
        return None
    parameters, results = model.get_parameters(), model.get_results()
    image, stylized = parameters[first], results[last].input_value(0)
    _, channels, height, width = inputs[first].shape
    pixels = ops.parameter([1, height, width, channels], ov.Type.u8)
    pixels.output(0).get_tensor().set_names(image.output(0).get_names())
    floats = ops.convert(ops.transpose(pixels, [0, 3, 1, 2]), "f32")
    for reader in image.output(0).get_target_inputs():
        reader.replace_source_output(floats.output(0))
    rounded = ops.convert(ops.round(ops.clamp(stylized, 0.0, 255.0), "half_to_even"), "u8")
    rounded.output(0).get_tensor().set_names(results[last].output(0).get_names())
    parameters[first], results[last] = pixels, ops.result(rounded)
    return ov.Model(results, parameters, model.get_friendly_name())


def _port(node: Any, size: tuple[int, int] | None) -> Port:
    kind = node.get_element_type().get_type_name()
    shape = resolve_shape([axis.get_length() if axis.is_static else "?" for axis in node.get_partial_shape()], size)
    return Port(node.get_any_name() if node.get_names() else "", _DTYPES.get(kind, kind), shape)


def _picture_index(ports: Sequence[Port]) -> int | None:
    """The position of the picture, if it is RGB, planar and in floats; else None."""
    for index, port in enumerate(ports):
        if layout := port.layout("NCHW"):
            return index if (layout, port.dtype, port.shape[1]) == ("NCHW", "float32", 3) else None
    return None
