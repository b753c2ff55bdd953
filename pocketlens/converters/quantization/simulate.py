"""A graph played as it is written: integers are rounded and clipped as QuantizeLinear says, sums are exact."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.images import Floats, Picture
from pocketlens.runtimes import ports
from pocketlens.runtimes.stand_in import PLAYS

Pixels = NDArray[np.float32]


def load_feeder(model: ir.Model) -> Callable[..., hub.Feed]:
    """A function from a picture, and of a pack a style, to the inputs of a graph by name.

    States are those behind the first frame of a clip that stands still, since in the first one they are zeros.
    """
    names = [str(value.name) for value in hub.states(model)]
    if not names:
        return partial(hub.feed, model)
    session = load_session(model)

    def feed(picture: Picture, style: Sequence[float] = ()) -> hub.Feed:
        arrays = hub.feed(model, picture, style)
        given = [name.replace(ports.STATE, ports.NEXT) for name in names]
        for _ in range(PLAYS - 1):
            arrays |= dict(zip(names, session.run(given, arrays), strict=True))
        return arrays

    return feed


def feeds(model: ir.Model, pictures: Iterable[Picture], styles: Sequence[Sequence[float]] = ()) -> Iterator[hub.Feed]:
    """The inputs for each picture in turn, as :func:`load_feeder` gives them; of a pack in its style, or without styles
    each picture in every style.
    """
    feed, every = load_feeder(model), np.eye(hub.styles(model)).tolist() or [[]]
    if styles:
        return (feed(picture, style) for picture, style in zip(pictures, styles, strict=True))
    return (feed(picture, style) for picture in pictures for style in every)


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
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # they keep what one value needed
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return ort.InferenceSession(ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"])


def simulate(model: ir.Model, pictures: Sequence[Picture], styles: Sequence[Sequence[float]] = ()) -> list[Floats]:
    """What a graph makes of pictures: ``float32 [height, width, 3]``, 0..255, each; with its alpha ``[height, width,
    4]``.

    Args:
        model: The graph.
        pictures: ``uint8 [height, width, 3]`` of its size.
        styles: Of a pack, the style of each picture; without them, each picture is played in every style.
    """
    play = load_player(model)
    return [picture_of(model, play(feed)) for feed in feeds(model, pictures, styles)]


def picture_of(model: ir.Model, outputs: Sequence[Pixels]) -> Floats:
    """The picture of a graph's outputs, ``float32 [height, width, 3]``; with its alpha ``[height, width, 4]``."""
    has_alpha = len(outputs) > 1 and model.graph.outputs[1].name == ports.ALPHA
    planar = np.concatenate(outputs[:2], 1) if has_alpha else outputs[0]
    return np.ascontiguousarray(planar[0].transpose(1, 2, 0))
