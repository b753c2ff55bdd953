"""The flow of a picture: unit vectors along its edges, and averages that follow them.

From the structure tensor of the lightness, as in Kyprianidis and Kang, "Image and Video Abstraction by
Coherence-Enhancing Filtering" (2011); the averages are line integral convolutions (Cabral and Leedom 1993). All lengths
are in pixels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Plane = NDArray[np.float32]


def flow(lightness: Plane, inner: float = 1.0, outer: float = 2.0) -> Plane:
    """The unit vectors along the edges, ``[2, height, width]`` (dy, dx), from the smoothed structure tensor.

    Args:
        lightness: ``[height, width]``.
        inner: Standard deviation of the Gaussian in front of the gradient.
        outer: Of the one that gathers the tensor: what is flat takes the direction of what is near.
    """
    dy, dx = np.gradient(gaussian_filter(lightness, inner))
    yy, xx, xy = (gaussian_filter(product, outer) for product in (dy * dy, dx * dx, dx * dy))
    # The tensor's major axis points across the edge, at this angle from the x axis; the flow is a quarter turn further.
    across = 0.5 * np.arctan2(2 * xy, xx - yy)
    return np.stack([np.cos(across), -np.sin(across)]).astype(np.float32)


def sampled(plane: Plane, places: Plane) -> Plane:
    """A plane between its pixels: the values at ``places``, ``[2, ...]`` (y, x), mirrored at the border."""
    values: Plane = map_coordinates(plane, places, order=1, mode="reflect")
    return values


def along(planes: Plane, vectors: Plane, reach: int) -> Plane:
    """Average each pixel of ``[planes, height, width]`` along the flow, by a Gaussian of ``reach / 2`` to each side.

    Vectors have no sign: on the way, each is turned to where the last one went.
    """
    total, weights = planes.copy(), 1.0
    for sign in (1, -1):
        places, step = np.indices(planes.shape[1:], dtype=np.float32), sign * vectors
        for count in range(1, reach + 1):
            places = places + step
            # The nearest vector does: they change slowly.
            rows, columns = (
                np.clip(np.rint(p), 0, n - 1).astype(int) for p, n in zip(places, planes.shape[1:], strict=True)
            )
            there = vectors[:, rows, columns]
            step = np.where((there * step).sum(0) < 0, -there, there)
            weight = float(np.exp(-0.5 * (2 * count / reach) ** 2))
            total += weight * np.stack([sampled(plane, places) for plane in planes])
            weights += weight
    averaged: Plane = total / np.float32(weights)
    return averaged
