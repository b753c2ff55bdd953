"""A ``.tflite`` file, played by LiteRT as the source that it is, behind what binds it to one picture.

What stands before and behind the file is a *shell*: an ONNX model in which one node stands for the whole file
(:func:`pocketlens.converters.tflite_source.shell_of`). ONNX's reference evaluator computes its other nodes, LiteRT this
one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.tflite_source import DOMAIN, FILE
from pocketlens.errors import InputError
from pocketlens.runtimes import data_files
from pocketlens.runtimes.adapter import Options
from pocketlens.runtimes.litert import Player
from pocketlens.runtimes.ports import Port

Array = NDArray[Any]


@dataclass(frozen=True)
class SessionInput:
    """An input as onnxruntime describes one: the name, the length of each axis or its name, and ``tensor(float)``."""

    name: str
    shape: list[int | str]
    type: str


class TFLiteSession:
    """Plays a file as a session of onnxruntime plays an ``.onnx`` file: arrays in and out, quantized ones as floats.

    Args:
        path: The ``.tflite`` file.
        shell: What it is bound with.

    Raises:
        InputError: LiteRT cannot open the file.
        MissingError: LiteRT is not installed.
    """

    def __init__(self, path: Path, shell: ir.Model) -> None:
        from onnx.reference import ReferenceEvaluator
        from onnx.reference.op_run import OpRun

        data_files.check(path)  # LiteRT opens by itself what a file names
        self._path = path
        self._player: tuple[tuple[tuple[int, ...], ...], Player] | None = None
        play = self._play

        class File(OpRun):
            """The node that stands for the file."""

            op_domain = DOMAIN

            def _run(self, *inputs: Array) -> tuple[Array, ...]:
                return play(inputs)

        assert File.__name__ == FILE
        self._inputs = [_describe(value) for value in shell.graph.inputs]
        self._evaluator = ReferenceEvaluator(ir.to_proto(shell), new_ops=[File])

    def get_inputs(self) -> list[SessionInput]:
        """The inputs of the shell."""
        return self._inputs

    def run(self, names: None, feed: dict[str, Array]) -> list[Array]:
        """All outputs of the shell."""
        return [np.asarray(array) for array in self._evaluator.run(names, feed)]

    def _play(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        player = self._player_of(inputs)
        for index, (array, port) in enumerate(zip(inputs, player.inputs, strict=True)):
            if array.shape != port.shape:
                raise InputError(
                    f"{self._path} takes {port.name!r} as {list(port.shape)}, found {list(array.shape)}",
                    do="ask for the size that it was made for",
                )
            player.feed(index)[...] = _stored(array, port)
        player.run()
        return tuple(_numbers(player.result(index), port) for index, port in enumerate(player.outputs))

    def _player_of(self, inputs: tuple[Array, ...]) -> Player:
        """The file, opened at the size of these inputs; the last one is kept."""
        shapes = tuple(array.shape for array in inputs)
        if self._player is None or self._player[0] != shapes:
            if self._player is not None:
                self._player[1].close()
            planes = [shape[1:3] for shape in shapes if len(shape) == 4]
            size = max(planes, default=None)
            self._player = shapes, Player(self._path, Options(size=None if size is None else (size[0], size[1])))
        return self._player[1]


def _describe(value: ir.Value) -> SessionInput:
    assert value.shape is not None and value.dtype is not None
    kind = {"FLOAT": "float", "DOUBLE": "double", "FLOAT16": "float16"}.get(value.dtype.name, value.dtype.name.lower())
    lengths = [length if isinstance(length, int) else str(length) for length in value.shape]
    return SessionInput(str(value.name), lengths, f"tensor({kind})")


def _stored(array: Array, port: Port) -> Array:
    """Numbers as the file stores them: integers of its scale, the nearest, of two the even one, where it has one."""
    if not port.scale:
        return array
    steps = np.rint(array.astype(np.float32) / np.float32(port.scale)) + np.float32(port.zero_point)
    limits = np.iinfo(port.dtype)
    stored: Array = np.clip(steps, limits.min, limits.max).astype(port.dtype)
    return stored


def _numbers(array: Array, port: Port) -> Array:
    """What stored integers stand for."""
    if port.scale:
        array = (array.astype(np.float32) - np.float32(port.zero_point)) * np.float32(port.scale)
    numbers: Array = array.astype(np.int64 if array.dtype == np.int32 else array.dtype)
    return numbers
