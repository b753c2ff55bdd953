"""What an artifact takes and gives beside its picture: a second picture, states between frames, alpha."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.runtimes import ports
from pocketlens.runtimes.adapter import Player
from pocketlens.runtimes.ports import Layout, Port

Pixels = TypeVar("Pixels", bound=NDArray[Any])


class Beside:
    """The ports of a player that have the names of :mod:`~pocketlens.runtimes.ports`.

    Args:
        path: The artifact, for messages.
        player: The artifact in its runtime.
        others: Its inputs beside the picture, by place.
        default_layout: The order of axes to assume where a shape fits both.

    Attributes:
        second: The channels of the second picture; 0 where there is none.
        states: Places of each state among the inputs, and of what becomes of it among the outputs.
        inputs: The places of all these inputs.
        has_alpha: Whether what comes out has a fourth channel.

    Raises:
        InputError: A state has no output, or one of another shape.
    """

    def __init__(self, path: Path, player: Player, others: Mapping[int, Port], default_layout: Layout) -> None:
        self._player, self._layout = player, default_layout
        outputs = {port.name: i for i, port in enumerate(player.outputs)}
        self.states: dict[int, int] = {}
        for place, port in others.items():
            given = (
                outputs.get(port.name.replace(ports.STATE, ports.NEXT)) if port.name.startswith(ports.STATE) else None
            )
            if given is not None and player.outputs[given].shape != port.shape:
                raise InputError(f"{path}: the state {port} comes back as {player.outputs[given]}", do="build it again")
            if given is not None:
                self.states[place] = given
        self._second = next(
            (i for i, port in others.items() if port.name == ports.SECOND and len(port.shape) == 4), None
        )
        self.second = self._channels(others[self._second]) if self._second is not None else 0
        self._alpha = outputs.get(ports.ALPHA)
        self.has_alpha = self._alpha is not None
        self.inputs = tuple(self.states) + (() if self._second is None else (self._second,))
        self._kept = {place: player.inputs[place].allocate() for place in self.states}

    def reset(self) -> None:
        """Let the states be zeros again."""
        for array in self._kept.values():
            array[...] = 0

    def feed(self) -> None:
        """Write the states into their inputs."""
        for place, array in self._kept.items():
            np.copyto(self._player.feed(place), array)

    def keep(self) -> None:
        """Keep what the states have become."""
        for place, given in self.states.items():
            np.copyto(self._kept[place], self._player.result(given))

    def take_second(self, size: tuple[int, int], extra: Mapping[str, NDArray[Any]] | None) -> dict[str, NDArray[Any]]:
        """Write the second picture into its input; what is left of the other inputs.

        Raises:
            InputError: There is none, or it has another size than the artifact's.
        """
        left = dict(extra or {})
        wanted = (*size, self.second)
        second = np.asarray(left.pop(ports.SECOND)) if ports.SECOND in left else None
        if second is None:
            raise InputError(
                f"it takes a second picture, uint8 {list(wanted)}",
                do="session(picture, inputs={'second': other}); pocketlens run --second FILE",
            )
        if second.ndim == 2:
            second = second[..., None]
        if second.shape != wanted or second.dtype != np.uint8:
            raise InputError(
                f"the second picture is {second.dtype} {list(second.shape)}, expected uint8 {list(wanted)}",
                do="resize it",
            )
        assert self._second is not None
        into = self._player.feed(self._second)
        np.copyto(into[0].transpose(1, 2, 0) if self._is_planar(into.shape) else into[0], second, casting="unsafe")
        return left

    def with_alpha(self, picture: Pixels) -> Pixels:
        """The picture with its alpha as fourth channel, where there is one."""
        if self._alpha is None:
            return picture
        matte = np.asarray(self._player.result(self._alpha), np.float32).reshape(*picture.shape[:2], 1)
        if picture.dtype == np.uint8:
            matte = np.rint(np.clip(matte, 0, 255))
        return np.concatenate([picture, matte.astype(picture.dtype)], axis=2)  # type: ignore[return-value]

    def _channels(self, port: Port) -> int:
        return int(port.shape[1 if self._is_planar(port.shape) else 3])

    def _is_planar(self, shape: tuple[int, ...]) -> bool:
        first, last = shape[1] in (1, 3), shape[3] in (1, 3)
        return first if first != last else self._layout == "NCHW"
