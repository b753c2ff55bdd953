"""What goes in and comes out of a generator beside its picture: a second picture, states between frames, alpha.

In the graph they have fixed names (:mod:`pocketlens.runtimes.ports`). Where a picture has to be judged alone, it is
played :data:`PLAYS` times as a clip that stands still, from states of zeros, and its second picture is
:func:`stand_in`; teacher, graph and artifacts are asked in the same way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.runtimes import ports
from pocketlens.runtimes.stand_in import stand_in

if TYPE_CHECKING:
    from pocketlens.converters.ranges import Ranges

Shape = tuple[int, ...]
Arrays = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Extras:
    """Beside the picture.

    Attributes:
        second: The shape of the second picture; None where there is none.
        states: The shape of each state.
        alpha: Whether a matte comes out.
    """

    second: Shape | None = None
    states: tuple[Shape, ...] = ()
    alpha: bool = False

    @property
    def inputs(self) -> int:
        """How many inputs there are beside the picture."""
        return len(self.states) + (self.second is not None)

    @property
    def outputs(self) -> int:
        """How many outputs there are beside the picture."""
        return len(self.states) + self.alpha


NO_EXTRAS = Extras()


def meaning(name: str) -> str:
    """What an input or output beside the picture is, in words that files carry.

    Example:
        >>> meaning("state_0")
        'zeros for the first frame, then next_0 of the frame before'
    """
    if name.startswith(ports.STATE):
        return f"zeros for the first frame, then {name.replace(ports.STATE, ports.NEXT)} of the frame before"
    if name.startswith(ports.NEXT):
        return f"goes into {name.replace(ports.NEXT, ports.STATE)} with the next frame"
    meanings = {
        ports.STYLE: "how much of each style; the sum is 1",
        ports.SECOND: "the second picture, 0 to 255",
        ports.ALPHA: "the alpha of the picture, 0 to 255",
    }
    return meanings.get(name, name)


def second_values(picture: Picture, channels: int, ranges: "Ranges") -> NDArray[np.float32]:
    """The stand-in for a second picture as a generator takes it: ``float32 [1, channels, H, W]``.

    A mask is 0 for black and 1 for white, whatever the range of pictures is.
    """
    low, high = ranges.input if channels > 1 else (0.0, 1.0)
    planar = stand_in(picture, channels).astype(np.float32).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(planar * np.float32((high - low) / 255) + np.float32(low))


def state_zeros(
    shapes: Sequence[Sequence[Any]], play: Callable[[Arrays], Sequence[NDArray[Any]]], free: Mapping[Any, int]
) -> Arrays:
    """The first states of a model that leaves their shapes open: zeros of the shapes that it gives back.

    Args:
        shapes: Of each state as the model says it; free lengths are names or nothing.
        play: From states to the states behind them.
        free: Lengths by name, as far as the picture's axes have the same.

    Raises:
        InputError: The model takes no zeros, or gives states of another shape than it takes.
    """
    first = [
        np.zeros([n if isinstance(n, int) and n > 0 else free.get(n, 1) for n in shape], np.float32) for shape in shapes
    ]
    try:
        given = play(first)
    except Exception as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"the model takes no states of zeros, {[list(a.shape) for a in first]}: {line}",
            do="export it with states of fixed shapes",
        ) from error
    zeros = [np.zeros(np.shape(array), np.float32) for array in given]
    try:
        again = [np.shape(array) for array in play(zeros)]
    except Exception as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"the model does not take the states that it gives: {line}", do="check --state") from error
    if again != [array.shape for array in zeros]:
        raise InputError(f"the states grow from {[list(a.shape) for a in zeros]} to {again}", do="check --state")
    return zeros
