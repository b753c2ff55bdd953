"""Whether pictures are pictures: black, flat, saturated and inverted ones are mostly a range that was said wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pocketlens.images import LUMA, Floats, Picture

Range = tuple[float, float]
USUAL_RANGES: tuple[Range, ...] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
"""The values of black and white that generators are trained on."""
_STEPS = 8.0
"""Of 255: what spans less is no picture. A generator of 0..1 taken for one of 0..255 spans 1, one of -1..1 spans 2."""
_CONTRAST = 64.0
"""Of 255: only an input that spans as much says something of the picture that comes out."""
_TAILS = (0.5, 99.5)
"""Percentiles that count as darkest and brightest, so that a few odd pixels hide nothing."""
_CLIPPED = 0.25
"""Share of values beyond black or white from which a picture counts as saturated."""
_MARGIN = 0.05
"""Of the range: how far beyond black and white values may lie, since generators without a last Tanh overshoot."""
_INVERTED = -0.6
"""Correlation of brightness from which a picture is a negative: six style filters have 0.18 to 0.99."""


@dataclass(frozen=True)
class PictureFault:
    """What is odd about the pictures of a generator.

    Attributes:
        kind: ``flat`` where they show nothing, ``saturated`` where most of the values lie beyond black and white,
            ``inverted`` where bright becomes dark.
        text: What was seen, with figures.
    """

    kind: Literal["flat", "saturated", "inverted"]
    text: str


def find_fault(pictures: Sequence[Picture], outputs: Sequence[Floats]) -> PictureFault | None:
    """What is odd about the pictures that a generator gives; None where nothing is.

    Args:
        pictures: What goes in, ``uint8 [H, W, 3]``; those without contrast of their own are left out.
        outputs: What comes out, ``float32 [h, w, 3]``, clamped to 0..255.

    Example:
        >>> ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
        >>> find_fault([ramp], [ramp / np.float32(255)]).text
        'the pictures are black: they reach from 0.0 to 1.0 of 255'
        >>> find_fault([ramp], [ramp.astype(np.float32)]) is None
        True
        >>> find_fault([ramp], [255 - ramp.astype(np.float32)]).kind
        'inverted'
    """
    pairs = [pair for pair in zip(pictures, outputs, strict=True) if has_contrast(pair[0])]
    if not pairs:
        return None
    if max(_span(output) for _, output in pairs) < _STEPS:
        low, high = min(float(output.min()) for _, output in pairs), max(float(output.max()) for _, output in pairs)
        shade = "black" if high < 2 * _STEPS else "white" if low > 255 - 2 * _STEPS else "of one shade"
        return PictureFault("flat", f"the pictures are {shade}: they reach from {low:.1f} to {high:.1f} of 255")
    ends = min(float(((output <= 0) | (output >= 255)).mean()) for _, output in pairs)
    if ends >= _CLIPPED:
        return PictureFault("saturated", f"at least {ends:.0%} of every picture's values are 0 or 255")
    same_size = [pair for pair in pairs if pair[0].shape == pair[1].shape]
    if same_size and (likeness := max(_likeness(*pair) for pair in same_size)) <= _INVERTED:
        return PictureFault("inverted", f"bright becomes dark: brightness in and out correlate by {likeness:.2f}")
    return None


def has_contrast(picture: Picture) -> bool:
    """Whether what comes out of a picture says something of the generator."""
    return _span(picture) >= _CONTRAST


def clipped_share(values: NDArray[np.float32], limits: Range) -> float:
    """The share of values that lie beyond black and white, by more than generators overshoot.

    Example:
        >>> clipped_share(np.array([-0.5, 0.2, 0.9, 1.01], np.float32), (0.0, 1.0))
        0.25
    """
    low, high = limits
    margin = _MARGIN * (high - low)
    return float(((values < low - margin) | (values > high + margin)).mean())


def is_saturated(values: NDArray[np.float32], limits: Range) -> bool:
    """Whether so many values lie beyond black and white that the range is wrong, and not only reached."""
    return clipped_share(values, limits) >= _CLIPPED


def likely_ranges(play: Callable[[Range], NDArray[np.float32] | None], picture: Picture) -> tuple[Range, Range] | None:
    """The input and output range with which a generator gives the best picture; None where no usual one does.

    Of the output ranges the one is taken that the values fill best without leaving it; of the input ranges the one
    whose picture is most like what went in, as a picture of a filter is; that of the output is preferred.

    Args:
        play: Gives the generator's own values, ``float32 [h, w, 3]``, not clamped, for an input range; None where it
            cannot.
        picture: What goes in, ``uint8 [H, W, 3]``.
    """
    found: list[tuple[float, Range, Range]] = []
    for taken in USUAL_RANGES:
        values = play(taken)
        if values is None or not np.isfinite(values).all():
            continue
        fitting = [given for given in USUAL_RANGES if clipped_share(values, given) < _CLIPPED / 2]
        given = min(fitting, key=lambda span: span[1] - span[0], default=None)
        if given is None:
            continue
        pixels = np.clip((values - given[0]) * (255 / (given[1] - given[0])), 0, 255)
        if _span(pixels) < _CONTRAST / 2:
            continue
        likeness = _likeness(picture, pixels) if pixels.shape == picture.shape else 0.0
        found.append((likeness + (0.1 if taken == given else 0.0), taken, given))
    if not found:
        return None
    _, taken, given = max(found)
    return taken, given


def words(fault: PictureFault, now: tuple[Range, Range], likely: tuple[Range, Range] | None) -> tuple[str, str]:
    """What was seen, and what to do about it.

    Args:
        fault: What is odd.
        now: The input and output range that the pictures were made with.
        likely: Those that give a picture.

    Example:
        >>> fault = PictureFault("flat", "the pictures are black: they reach from 0.0 to 1.0 of 255")
        >>> pixels, unit = (0.0, 255.0), (0.0, 1.0)
        >>> print("\\n".join(words(fault, (pixels, pixels), (unit, unit))))
        the pictures are black: they reach from 0.0 to 1.0 of 255, with input range 0..255 and output range 0..255
        say its ranges: --input-range 0 1 --output-range 0 1 gives a picture
    """
    low_high = [f"{low:g}..{high:g}" for low, high in now]
    what = f"{fault.text}, with input range {low_high[0]} and output range {low_high[1]}"
    if fault.kind == "inverted":
        return what, "if that is not meant, turn the sign of the generator's output"
    if likely is None or likely == now:
        return what, "no usual range gives a picture: check that the weights are trained and belong to this generator"
    return what, f"say its ranges: {flags(likely)} gives a picture"


def flags(ranges: tuple[Range, Range]) -> str:
    """An input and an output range as the command line takes them.

    Example:
        >>> flags(((0.0, 1.0), (-1.0, 1.0)))
        '--input-range 0 1 --output-range -1 1'
    """
    (taken_low, taken_high), (given_low, given_high) = ranges
    return f"--input-range {taken_low:g} {taken_high:g} --output-range {given_low:g} {given_high:g}"


def _span(picture: NDArray[Any]) -> float:
    low, high = np.percentile(picture, _TAILS)
    return float(high - low)


def _likeness(picture: Picture, output: Floats) -> float:
    """The correlation of brightness."""
    before, after = (np.asarray(pixels, np.float64) @ LUMA for pixels in (picture, output))
    before, after = before - before.mean(), after - after.mean()
    scale = float(np.sqrt((before**2).sum() * (after**2).sum()))
    return float((before * after).sum()) / scale if scale else 0.0
