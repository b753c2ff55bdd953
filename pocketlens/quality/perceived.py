"""The difference that a person sees between two pictures that alternate: FLIP, with its authors' library.

P. Andersson, J. Nilsson, T. Akenine-Möller, M. Oskarsson, K. Åström, M. D. Fairchild: "FLIP: A Difference Evaluator for
Alternating Images", Proceedings of the ACM on Computer Graphics and Interactive Techniques 3(2), 2020. It filters both
pictures by how the eye loses contrast with frequency, compares colours in a perceptually even space, and adds what
edges and points show beyond that. The viewing distance is the paper's: 67 pixels a degree, a screen at arm's length.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import require


def flip_map(reference: NDArray[Any], candidate: NDArray[Any]) -> NDArray[np.float32]:
    """The perceived difference at each pixel: ``float32 [height, width]``, from 0 (none) to 1.

    Args:
        reference: ``[height, width, 3]``, RGB, 0..255.
        candidate: The same; NaN counts as black, and values out of range are clamped.

    Raises:
        ValueError: The shapes differ.
        MissingError: flip-evaluator is not installed.
    """
    if reference.shape != candidate.shape:
        raise ValueError(f"pictures of different shapes: {reference.shape} and {candidate.shape}")
    require("flip_evaluator", "build")
    from flip_evaluator import nbflip

    # The library's own wrapper prints and exits on an error; the function that it calls does not.
    a, b = (np.ascontiguousarray(np.clip(np.nan_to_num(p), 0, 255) / 255, np.float32) for p in (reference, candidate))
    errors, _, _ = nbflip.evaluate(a, b, False, True, False, False, {})
    return np.asarray(errors, np.float32)[..., 0]


def flip(reference: NDArray[Any], candidate: NDArray[Any]) -> float:
    """The mean of :func:`flip_map`, 0..1: about 0.01 is invisible, 0.1 is visible to everybody.

    Example:
        >>> flat = np.full((32, 32, 3), 100, np.uint8)
        >>> flip(flat, flat), flip(flat, flat + np.uint8(40)) > 0.05
        (0.0, True)
    """
    return float(flip_map(reference, candidate).mean(dtype=np.float64))
