"""The share of each style in a picture, from a name, several names with weights, or one number for each style."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError

Style = str | int | Mapping[str, float] | Sequence[float]
"""A style's name or position; names with their weights; or a weight for each style, in order."""


def blend(style: Style, names: Sequence[str]) -> NDArray[np.float32]:
    """The weights of a style, ``float32 [styles]``, which sum to 1.

    Args:
        style: A name; a position, from 0; names with weights; or all weights in order. Weights are divided by their
            sum.
        names: The names of all styles, in the artifact's order.

    Raises:
        InputError: There is no such style, or a weight is negative or not finite, or all are 0.

    Example:
        >>> blend({"ink": 1, "oil": 1}, ["ink", "oil", "chalk"]).tolist()
        [0.5, 0.5, 0.0]
    """
    raw = np.zeros(len(names), np.float64)
    if isinstance(style, str):
        raw[_index_of(style, names)] = 1
    elif isinstance(style, int | np.integer):
        if not 0 <= style < len(names):
            raise InputError(f"there is no style {style}, there are {len(names)}", do=f"choose from {', '.join(names)}")
        raw[style] = 1
    elif isinstance(style, Mapping):
        for name, weight in style.items():
            raw[_index_of(name, names)] = _weight(weight)
    else:
        if len(style) != len(names):
            raise InputError(f"{len(style)} weights for {len(names)} styles", do=f"one each for {', '.join(names)}")
        raw[:] = [_weight(weight) for weight in style]
    if raw.sum() <= 0:
        raise InputError("no style has a weight over 0", do="give one of them 1")
    weights: NDArray[np.float32] = (raw / raw.sum()).astype(np.float32)
    return weights


def parse(texts: Sequence[str]) -> Style:
    """A style as users type it: ``ink``, or ``ink=0.5`` and ``oil=0.5``, as several arguments or with commas between.

    Raises:
        InputError: A weight is no number, or a name occurs twice.

    Example:
        >>> parse(["ink"]), parse(["ink=0.7,oil=0.3"])
        ('ink', {'ink': 0.7, 'oil': 0.3})
    """
    parts = [part.strip() for text in texts for part in text.split(",")]
    if len(parts) == 1 and "=" not in parts[0]:
        return parts[0]
    weights: dict[str, float] = {}
    for part in parts:
        name, equals, weight = part.partition("=")
        if name in weights:
            raise InputError(f"the style {name!r} occurs twice", do="add its weights up")
        try:
            weights[name] = float(weight) if equals else 1.0
        except ValueError as error:
            raise InputError(
                f"the weight of {name!r} is {weight!r}, expected a number", do="ink=0.5,oil=0.5"
            ) from error
    return weights


def _index_of(name: str, names: Sequence[str]) -> int:
    if name not in names:
        raise InputError(f"there is no style {str(name)!r}", do=f"choose from {', '.join(names)}")
    return list(names).index(name)


def _weight(weight: float) -> float:
    value = float(weight)
    if not math.isfinite(value) or value < 0:
        raise InputError(f"a style's weight is {weight}, expected a number from 0", do="0.5 is half of it")
    return value
