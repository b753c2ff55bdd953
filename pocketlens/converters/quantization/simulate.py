"""A graph played as it is written: integers are rounded and clipped as QuantizeLinear says, sums are exact."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.images import Floats, Picture

Pixels = NDArray[np.float32]


def load_player(model: ir.Model) -> Callable[[Pixels], list[Pixels]]:
    """Load a graph in onnxruntime without its integer kernels, whose sums saturate on processors of before 2019.

    Returns:
        A function from ``float32 [1, 3, H, W]`` to every output.
    """
    session = load_session(model)
    (image,) = session.get_inputs()
    return lambda pixels: list(session.run(None, {image.name: pixels}))


def load_session(model: ir.Model) -> Any:
    """The same as onnxruntime's own session."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return ort.InferenceSession(ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"])


def simulate(model: ir.Model, pictures: Sequence[Picture]) -> list[Floats]:
    """What a graph makes of pictures: ``float32 [height, width, 3]``, 0..255, each."""
    play = load_player(model)
    return [
        np.ascontiguousarray(play(p.astype(np.float32).transpose(2, 0, 1)[None])[0][0].transpose(1, 2, 0))
        for p in pictures
    ]
