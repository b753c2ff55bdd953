"""How a generator's inputs and outputs are to be taken, where it is not simply one picture in and one out."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pocketlens.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Order = Literal["RGB", "BGR"]
Rgb = tuple[float, float, float]
MAX_CONSTANT = 1 << 26
"""Most bytes of a file that an input is fixed to."""
_PART = re.compile(r"^(?P<name>.+)\.(?P<first>\d+)(:(?P<end>\d+))?$")


@dataclass(frozen=True)
class Signature:
    """What of a generator is the picture, and what the rest is fixed to.

    Attributes:
        input: The name of the input that is the picture; empty for the only one that is not fixed.
        output: The name of the output that is the picture; empty for the only one. ``NAME.1`` is one channel of it,
            ``NAME.0:3`` the first three. Of a module that returns a tuple or dictionary, the place or key.
        constants: Other inputs, each with a number or the path of an ``.npy`` file. ``NAME.3`` is one channel of the
            picture itself.
        mean: What is taken from red, green and blue, in values of 0..1, or of 0..255 where one is above 1.
        deviation: What they are divided by then, in the same values.
        input_order: The order of the colours that it takes.
        output_order: The order of the colours that it gives.
        states: Inputs that get what an output gave for the frame before, and zeros for the first: input and output of
            each. Of a module the argument, and the place or key of what it returns.
        second: The name of an input that is a second picture: of one channel a mask, black 0 and white 1; of three a
            picture that is scaled as the first.
        alpha: The name of an output of one channel, 0..1, that becomes the alpha of the picture.

    Raises:
        InputError: A deviation is not positive, or only one of mean and deviation is there, or an input is named twice.

    Example:
        >>> Signature(output="alpha.0", constants=(("ratio", "0.25"),)).is_plain
        False
    """

    input: str = ""
    output: str = ""
    constants: tuple[tuple[str, str], ...] = ()
    mean: Rgb | None = None
    deviation: Rgb | None = None
    input_order: Order = "RGB"
    output_order: Order = "RGB"
    states: tuple[tuple[str, str], ...] = ()
    second: str = ""
    alpha: str = ""
    base: Path = field(default=Path(), compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("mean", "deviation"):
            values = getattr(self, name)
            if values is not None and not (len(values) == 3 and all(map(math.isfinite, values))):
                raise InputError(f"{name} is {values!r}, expected three numbers", do="one for red, green and blue")
        if self.deviation is not None and min(self.deviation) <= 0:
            raise InputError(
                f"deviation is {self.deviation!r}, expected numbers above 0", do="see the model's training"
            )
        names = [name for name, _ in self.constants]
        if len(set(names)) < len(names):
            raise InputError(f"an input is fixed twice: {', '.join(names)}", do="give each once")
        named = [*names, *(name for name, _ in self.states), *filter(None, (self.input, self.second))]
        given = [*(name for _, name in self.states), *filter(None, (self.output, self.alpha))]
        for twice in (name for group in (named, given) for name in group if group.count(name) > 1):
            raise InputError(f"{twice!r} is named twice", do="an input or output has one use")

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said: one picture goes in and one comes out, as RGB."""
        return self == Signature()

    def normalization(self) -> "tuple[NDArray[np.float32], NDArray[np.float32]] | None":
        """Scale and shift of each colour, from pixels of 0..255; None where the range says it all.

        Example:
            >>> Signature(mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5)).normalization()[1].tolist()
            [-1.0, -1.0, -1.0]
        """
        import numpy as np

        if self.mean is None and self.deviation is None:
            return None
        mean, deviation = (
            np.array(self.mean or (0, 0, 0), np.float64),
            np.array(self.deviation or (1, 1, 1), np.float64),
        )
        unit = 1.0 if max(np.abs(mean).max(), deviation.max()) > 1 else 255.0
        return (1 / (unit * deviation)).astype(np.float32), (-mean / deviation).astype(np.float32)

    def digests(self) -> dict[str, str]:
        """Everything that it says, the contents of its files included: for keys of the cache."""
        from pocketlens.files import sha256

        contents = {name: sha256(self.file(value)) for name, value in self.constants if _number(value) is None}
        return {"signature": repr(self), **contents}

    def file(self, value: str) -> Path:
        """The file that an input is fixed to.

        Raises:
            InputError: There is none, or it is too large.
        """
        path = self.base / value
        if not path.is_file():
            raise InputError(f"{value!r} is neither a number nor a file", do="give NAME=NUMBER or NAME=FILE.npy")
        if path.stat().st_size > MAX_CONSTANT:
            raise InputError(f"{path} is larger than {MAX_CONSTANT:,} bytes", do="give a smaller array")
        return path

    def value(self, value: str) -> "NDArray[np.float32]":
        """What an input is fixed to: a number, or the array of a file.

        Raises:
            InputError: It is neither.
        """
        import numpy as np

        number = _number(value)
        if number is not None:
            return np.array(number, np.float32)
        path = self.file(value)
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError) as error:  # it may claim a shape of any size
            raise InputError(f"{path} is no array: {error}", do="write it with numpy.save") from error
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise InputError(f"{path} holds no numbers", do="write it with numpy.save")
        return array.astype(np.float32)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def parse_constant(text: str) -> tuple[str, str]:
    """``NAME=VALUE``, as the command line takes it.

    Raises:
        InputError: There is no ``=``.

    Example:
        >>> parse_constant("label=0.5")
        ('label', '0.5')
    """
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise InputError(f"{text!r} is not NAME=VALUE", do="for instance --constant strength=0.8 or mask=mask.npy")
    return name, value


def parse_state(text: str) -> tuple[str, str]:
    """``INPUT=OUTPUT``, as the command line takes a state.

    Raises:
        InputError: There is no ``=``.

    Example:
        >>> parse_state("r1i=r1o")
        ('r1i', 'r1o')
    """
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise InputError(f"{text!r} is not INPUT=OUTPUT", do="for instance --state r1i=r1o")
    return name, value


def part_of(name: str, names: list[str]) -> tuple[str, slice | None] | None:
    """An input or output by name, and which of its channels are meant; None where there is none of that name.

    Example:
        >>> part_of("mask.1", ["mask"]), part_of("x.2", ["x.2"]), part_of("y", ["x"])
        (('mask', slice(1, 2, None)), ('x.2', None), None)
    """
    if name in names:
        return name, None
    found = _PART.match(name)
    if found is None or found["name"] not in names:
        return None
    first = int(found["first"])
    return found["name"], slice(first, int(found["end"]) if found["end"] else first + 1)
