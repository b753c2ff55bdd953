"""Small ``.tflite`` files of single operators, what LiteRT makes of them, and what their ONNX model makes."""

from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.converters.emitter import Labels
from pocketlens.converters.tflite import write
from pocketlens.converters.tflite.builder import Operator, Tensor
from pocketlens.converters.tflite_source import read_tflite
from pocketlens.runtimes.adapter import Options
from pocketlens.runtimes.litert import Player
from tests.converters.graph_builder import run

MORE_OPTIONS = {
    "ABS": "AbsOptions", "ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions", "CAST": "CastOptions",
    "EXPAND_DIMS": "ExpandDimsOptions", "L2_NORMALIZATION": "L2NormOptions", "MIRROR_PAD": "MirrorPadOptions",
    "PACK": "PackOptions", "REDUCE_PROD": "ReducerOptions", "SHAPE": "ShapeOptions", "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions", "SQUEEZE": "SqueezeOptions", "UNPACK": "UnpackOptions",
}  # fmt: skip
"""Options tables that the emitter itself never writes."""


class FileBuilder:
    """A file under construction: ``x`` in, the last value out."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.x = Tensor("x", shape)
        self.operators: list[Operator] = []
        self._constants = 0

    def constant(self, array: Any, dtype: type = np.float32) -> Tensor:
        stored = np.asarray(array, dtype)
        self._constants += 1
        return Tensor(f"c{self._constants}", stored.shape, stored.dtype, stored)

    def random(self, *shape: int) -> Tensor:
        return self.constant(self.rng.uniform(0.5, 1.5, shape) * self.rng.choice([-1, 1], shape))

    def integers(self, *numbers: Any) -> Tensor:
        return self.constant(numbers, np.int32)

    def add(
        self,
        code: str,
        inputs: list[Tensor],
        *shapes: tuple[int, ...],
        dtype: type = np.float32,
        version: int = 1,
        **options: Any,
    ) -> Tensor:
        made = [Tensor(f"v{len(self.operators)}_{i}", shape, np.dtype(dtype)) for i, shape in enumerate(shapes)]
        self.operators.append(Operator(code, inputs, made, options, version))
        return made[0]

    def write(self, path: Path) -> Path:
        known, write._OPTIONS = write._OPTIONS, {**write._OPTIONS, **MORE_OPTIONS}
        try:
            last = self.operators[-1].outputs[0]
            path.write_bytes(write.flatbuffer(self.operators, [self.x], [last], Labels("test")))
        finally:
            write._OPTIONS = known
        return path


def both(path: Path, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What LiteRT makes of an input of the file, and what its ONNX model does; quantized ones as floats."""
    player = Player(path, Options())
    taken, given = player.inputs[0], player.outputs[0]
    stored = np.rint(array / taken.scale) + taken.zero_point if taken.scale else array
    player.feed(0)[...] = stored.astype(taken.dtype)
    player.run()
    expected = player.result(0).copy()
    if given.scale:
        expected = (expected.astype(np.float32) - given.zero_point) * np.float32(given.scale)
    player.close()
    model = read_tflite(path)
    return expected, run(model, {str(model.graph.inputs[0].name): array})[0]
