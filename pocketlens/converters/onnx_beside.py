"""What goes in and comes out of a bound ``.onnx`` file beside its picture, while onnxruntime plays it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.converters.extras import Arrays, Extras, Shape, second_values, state_zeros
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.signature import Signature
from pocketlens.errors import InputError
from pocketlens.images import Floats, Picture
from pocketlens.runtimes.stand_in import PLAYS


class OnnxBeside:
    """Plays a bound file.

    Args:
        session: The file in onnxruntime: the picture goes in, then the second picture and the states; the picture comes
            out, then the alpha and the states.
        signature: What is said of it.
        ranges: The values that it takes and gives.
    """

    def __init__(self, session: Any, signature: Signature, ranges: Ranges) -> None:
        self._session, self._ranges = session, ranges
        self._image, *others = session.get_inputs()
        self._second = others.pop(0) if signature.second else None
        self._states = others
        self._mattes = int(bool(signature.alpha))
        self._kept: Arrays = []

    def play(self, image: NDArray[Any], picture: Picture, follow: bool) -> tuple[Floats, list[Floats]]:
        """The picture as the file gives it, and the alpha, as many as there are.

        Args:
            image: The picture as the file takes it.
            picture: The same as ``uint8 [H, W, 3]``.
            follow: Whether it is the frame behind the one before.
        """
        feed = {self._image.name: image}
        if self._second is not None:
            feed[self._second.name] = self._second_picture(picture)
        goes_on = follow and bool(self._kept)
        states = self._kept if goes_on else self._zeros(feed, picture.shape[:2])
        for _ in range(PLAYS if states and not goes_on else 1):
            output, *given = self._run(feed, states)
            states = given[self._mattes :]
        self._kept = list(states)
        return output, list(given[: self._mattes])

    def extras(self, size: tuple[int, int]) -> Extras:
        """What there is beside the picture at a size; the shapes of states that the file leaves open are found by
        playing.
        """
        shape = plane_shape(self._image.shape, size, 3)
        feed = {self._image.name: np.zeros(shape, _dtype(self._image.type))}
        second = None
        if self._second is not None:
            second = plane_shape(self._second.shape, size, 3)
            feed[self._second.name] = np.zeros(second, _dtype(self._second.type))
        return Extras(second, tuple(array.shape for array in self._zeros(feed, size)), bool(self._mattes))

    def _zeros(self, feed: dict[str, NDArray[Any]], size: tuple[int, ...]) -> Arrays:
        if not self._states:
            return []
        free = dict(zip(self._image.shape, plane_shape(self._image.shape, (size[0], size[1]), 3), strict=True))
        shapes = [port.shape for port in self._states]
        return state_zeros(shapes, lambda states: self._run(feed, states)[1 + self._mattes :], free)

    def _run(self, feed: dict[str, NDArray[Any]], states: Sequence[NDArray[Any]]) -> list[Floats]:
        named = {port.name: array.astype(_dtype(port.type)) for port, array in zip(self._states, states, strict=True)}
        return [np.asarray(array, np.float32) for array in self._session.run(None, {**feed, **named})]

    def _second_picture(self, picture: Picture) -> NDArray[Any]:
        assert self._second is not None
        shape = plane_shape(self._second.shape, (picture.shape[0], picture.shape[1]), 3)
        last = shape[1] not in (1, 3)
        values = second_values(picture, shape[3 if last else 1], self._ranges)
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1) if last else values).astype(_dtype(self._second.type))


def plane_shape(shape: Sequence[Any], size: tuple[int, int], channels: int) -> Shape:
    """A picture's shape with its free lengths filled in, in the file's own order of axes.

    Example:
        >>> plane_shape(["n", 1, "h", "w"], (32, 48), 3), plane_shape(["n", None, None, 3], (32, 48), 3)
        ((1, 1, 32, 48), (1, 32, 48, 3))

    Raises:
        InputError: It has not four axes.
    """
    if len(shape) != 4:
        raise InputError(f"a picture has four axes, this input {list(shape)}", do="fix it: --constant NAME=FILE.npy")
    last = shape[3] in (1, 3) and shape[1] not in (1, 3)
    wanted = (1, *size, channels) if last else (1, channels, *size)
    return tuple(n if isinstance(n, int) and n > 0 else w for n, w in zip(shape, wanted, strict=True))


def _dtype(kind: str) -> Any:
    return {"tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}.get(
        kind, np.float32
    )
