"""A case: a few ONNX nodes and where they stand, and the generator that is built around them.

A case prints as the Python that makes it, so a failure can be pasted into ``regressions.py`` as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper, parser

from pocketlens.converters import graph as hub

LOW, HIGH = 24.0, 232.0
"""The values that a case's picture is spread over: the clamp at 0 and 255 then hides no error."""
SMALLEST = 4
"""Pixels of a picture's side: more than it has colours, which are then never taken for its columns."""
_SKIP = 12.0
"""How far a second reader moves them."""
_STEEPEST = 20.0
"""Values that lie closer together than a 20th of their size are not spread further: that would only magnify rounding.
"""


@dataclass(frozen=True)
class Weights:
    """Normally distributed numbers around ``mean``, the same for the same arguments.

    ``spread`` is divided by the root of what one output of a convolution sums up, so that it keeps the size of its
    values.
    """

    shape: tuple[int, ...]
    spread: float = 1.0
    mean: float = 0.0

    def array(self) -> np.ndarray:
        rng = np.random.default_rng([len(self.shape), *self.shape])
        noise = rng.standard_normal(self.shape).clip(-2, 2) / max(1.0, np.sqrt(np.prod(self.shape[1:])))
        return np.asarray(noise * self.spread + self.mean, np.float32)


Constant = Weights | float | tuple[int, ...] | tuple[float, ...]
"""Whole numbers become int64, fractions float32; a number alone has no axes."""


@dataclass(frozen=True)
class Place:
    """What ``x`` is, and what stands around the case.

    Attributes:
        channels: Of ``x``, which is ``[1, channels, height, width]``.
        height: In pixels.
        width: In pixels.
        before: The node that makes ``x``: ``""`` for exact arithmetic on whole numbers (three channels only),
            ``"Conv"``, or a function of one value behind a convolution.
        after: The node that reads ``y``: ``"Conv"`` or ``"Mul"``.
        shared: Whether something else reads ``x`` too.
    """

    channels: int = 3
    height: int = 4
    width: int = 4
    before: str = ""
    after: str = "Mul"
    shared: bool = False


@dataclass(frozen=True)
class Case:
    """Nodes, as ONNX text, that compute ``y`` of four axes, the first of length 1, from ``x``."""

    nodes: str
    constants: Mapping[str, Constant] = field(default_factory=dict)
    place: Place = Place()

    def operators(self) -> set[str]:
        return {node.op_type for node in self._parsed()}

    def _parsed(self) -> list[onnx.NodeProto]:
        return [parser.parse_node(line.strip()) for line in self.nodes.splitlines() if line.strip()]

    def model(self) -> onnx.ModelProto:
        """A generator: a picture of 0..255 in, one of the same size and :data:`LOW` to :data:`HIGH` out."""
        place = self.place
        x, y = self._probe()
        build = _Builder(place, *(max(SMALLEST, *lengths) for lengths in zip(x.shape[2:], y.shape[2:], strict=True)))
        build.nodes += self._parsed()
        build.constants.update({name: _array(value) for name, value in self.constants.items()})
        build.tail(x, y)
        return build.model()

    def _probe(self) -> tuple[np.ndarray, np.ndarray]:
        """``x`` and ``y`` of the picture that the case is tried with, at the size of ``x``."""
        build = _Builder(self.place, self.place.height, self.place.width)
        build.nodes += self._parsed()
        build.constants.update({name: _array(value) for name, value in self.constants.items()})
        x, y = run(build.model(("x", "y")), picture(self.place.height, self.place.width))
        return x, y


def picture(height: int, width: int, seed: int = 5) -> np.ndarray:
    """``uint8 [H, W, 3]``: noise, whose top left corner is the same at every size."""
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)[:height, :width]


def run(model: onnx.ModelProto, image: np.ndarray) -> list[np.ndarray]:
    """What onnxruntime computes from a picture, nothing optimized."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    pixels = np.ascontiguousarray(image.astype(np.float32).transpose(2, 0, 1)[None])
    return list(session.run(None, {hub.INPUT: pixels}))


def _array(value: Constant) -> np.ndarray:
    if isinstance(value, Weights):
        return value.array()
    array = np.asarray(value)
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64)


class _Builder:
    """Puts the head before a case and the tail behind it."""

    def __init__(self, place: Place, height: int, width: int) -> None:
        self.place, self.height, self.width = place, height, width
        self.nodes: list[onnx.NodeProto] = []
        # Sixty-fourths and whole numbers: exact in float32 whichever way a runtime computes them.
        self.constants: dict[str, np.ndarray] = {"head_scale": np.float32(1 / 64), "head_shift": np.float32(-2)}
        steps = ["scaled = Mul(image, head_scale)", "wide = Add(scaled, head_shift)"]
        if (height, width) != (place.height, place.width):
            steps.append("cut = Slice(wide, head_starts, head_ends)")
            self.constants |= {"head_starts": np.zeros(4, np.int64)}
            self.constants |= {"head_ends": np.array([1, 3, place.height, place.width], np.int64)}
        last = steps[-1].split(" ")[0]
        if place.before == "":
            steps.append(f"x = Identity({last})")
        else:
            out = "x" if place.before == "Conv" else "features"
            steps.append(f"{out} = Conv({last}, head_kernel, head_bias)")
            self.constants |= {"head_kernel": Weights((place.channels, 3, 1, 1)).array()}
            self.constants |= {"head_bias": Weights((place.channels,), 0.5).array()}
            if out != "x":
                steps.append(f"x = {place.before}(features)")
        self.nodes += map(parser.parse_node, steps)

    def tail(self, x: np.ndarray, y: np.ndarray) -> None:
        """Three channels of the right size and values, made of ``y`` and, where it is shared, of ``x``."""
        middle, reach = _spread(y)
        inside = _SKIP if self.place.shared else 0.0
        scale = ((HIGH - LOW) / 2 - inside) / reach
        channels = y.shape[1]
        mixed = self.place.after == "Conv" or channels != 3
        # Around 0 until it has the picture's size: engines that pad with another number have faults of their own.
        is_smaller = y.shape[2:] != (self.height, self.width)
        grey = (LOW + HIGH) / 2
        numbers = {"tail_scale": scale, "tail_shift": -middle * scale + (0 if is_smaller else grey), "tail_grey": grey}
        self.constants |= {name: np.float32(value) for name, value in numbers.items()}
        if mixed:
            self.constants["tail_mix"] = _mix(channels)
        moves = [("Mul", "tail_scale"), ("Add", "tail_shift")]
        if mixed:
            moves.insert(0 if self.place.after == "Conv" else 2, ("Conv", "tail_mix"))
        self._chain("y", "moved", moves, y.shape, [("Add", "tail_grey")])
        if self.place.shared:
            middle, reach = _spread(x)
            factor = _SKIP / reach
            self.constants |= {"skip_scale": np.float32(factor), "skip_shift": np.float32(-middle * factor)}
            self.constants["skip_mix"] = _mix(x.shape[1])
            self._chain("x", "skipped", [("Conv", "skip_mix"), ("Mul", "skip_scale"), ("Add", "skip_shift")], x.shape)
            self.nodes.append(parser.parse_node(f"{hub.OUTPUT} = Add(moved, skipped)"))
        else:
            self.nodes.append(parser.parse_node(f"{hub.OUTPUT} = Identity(moved)"))

    def _chain(
        self,
        start: str,
        end: str,
        moves: list[tuple[str, str]],
        shape: tuple[int, ...],
        behind: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Nodes with one constant each; then, where the value is too small, a Pad and those ``behind``."""
        below, right = self.height - shape[2], self.width - shape[3]
        if below or right:
            self.constants[f"{end}_pads"] = np.array([0, 0, 0, 0, 0, 0, below, right], np.int64)
            moves = [*moves, ("Pad", f"{end}_pads"), *behind]
        for index, (operator, constant) in enumerate(moves):
            output = end if index == len(moves) - 1 else f"{end}_{index}"
            self.nodes.append(parser.parse_node(f"{output} = {operator}({start}, {constant})"))
            start = output

    def model(self, outputs: tuple[str, ...] = (hub.OUTPUT,)) -> onnx.ModelProto:
        used = {name for node in self.nodes for name in node.input}
        size = [1, 3, self.height, self.width]
        shape = size if outputs == (hub.OUTPUT,) else None
        graph = helper.make_graph(
            self.nodes,
            "case",
            [helper.make_tensor_value_info(hub.INPUT, TensorProto.FLOAT, size)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
            [numpy_helper.from_array(np.asarray(a), name) for name, a in self.constants.items() if name in used],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", hub.OPSET)], ir_version=10)


def _spread(values: np.ndarray) -> tuple[float, float]:
    """The middle of some values, and how far they reach from it."""
    assert values.ndim == 4 and values.shape[0] == 1, f"a case makes [1, C, H, W], this one {values.shape}"
    assert np.isfinite(values).all(), "a case makes numbers"
    low, high = float(values.min()), float(values.max())
    return (low + high) / 2, max((high - low) / 2, max(abs(low), abs(high)) / _STEEPEST, 1e-3)


def _mix(channels: int) -> np.ndarray:
    """A 1 x 1 kernel to three channels that leaves values within the range of its input, each row another mixture."""
    rows = np.random.default_rng(channels).uniform(0.2, 1.0, (3, channels))
    return np.asarray(rows / rows.sum(1, keepdims=True), np.float32).reshape(3, channels, 1, 1)
