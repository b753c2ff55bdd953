"""A graph played as it is written: integers are rounded and clipped as QuantizeLinear says, sums are exact."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.images import Floats, Picture

Pixels = NDArray[np.float32]


def load_player(model: ir.Model) -> Callable[[hub.Feed], list[Pixels]]:
    """Load a graph in onnxruntime without its integer kernels, whose sums saturate on processors of before 2019.

    Returns:
        A function from the inputs by name to every output; inputs that the graph does not read are ignored.
    """
    session = load_session(model)
    names = {value.name for value in session.get_inputs()}
    return lambda feed: list(session.run(None, {name: array for name, array in feed.items() if name in names}))


def load_session(model: ir.Model) -> Any:
    """The same as onnxruntime's own session."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return ort.InferenceSession(ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"])


def simulate(model: ir.Model, pictures: Sequence[Picture], styles: Sequence[Sequence[float]] = ()) -> list[Floats]:
    """What a graph makes of pictures: ``float32 [height, width, 3]``, 0..255, each.

    Args:
        model: The graph.
        pictures: ``uint8 [height, width, 3]`` of its size.
        styles: Of a pack, the style of each picture; without them, each picture is played in every style.
    """
    play = load_player(model)
    feeds = map(hub.feed, pictures, styles) if styles else hub.feeds(model, pictures)
    return [np.ascontiguousarray(play(feed)[0][0].transpose(1, 2, 0)) for feed in feeds]
