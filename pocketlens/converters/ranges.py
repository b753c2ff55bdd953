"""The values that a generator was trained on."""

import math
from dataclasses import dataclass

from pocketlens.errors import InputError

Range = tuple[float, float]


@dataclass(frozen=True)
class Ranges:
    """The values of black and white: pixels 0..255 become ``input`` for the generator, and its ``output`` becomes
    pixels.

    Raises:
        InputError: One of them is no pair of finite numbers, the lower one first.

    Example:
        >>> Ranges((-1.0, 1.0), (-1.0, 1.0)).input
        (-1.0, 1.0)
    """

    input: Range = (0.0, 255.0)
    output: Range = (0.0, 255.0)

    def __post_init__(self) -> None:
        for name, limits in (("takes", self.input), ("gives", self.output)):
            numbers = isinstance(limits, tuple | list) and [isinstance(value, int | float) for value in limits]
            if numbers != [True, True] or not (all(map(math.isfinite, limits)) and limits[0] < limits[1]):
                raise InputError(
                    f"the generator {name} values of the range {limits!r}, expected (low, high) with low < high",
                    do="correct input_range or output_range",
                )
