"""What stands for a second picture where only one is at hand: files are judged with it."""

import numpy as np

from pocketlens.images import LUMA, Picture

PLAYS = 2
"""How often a picture is played from states of zeros before it counts: the first time, no state is read yet."""


def stand_in(picture: Picture, channels: int) -> Picture:
    """A second picture made of the first: mirrored, or for one channel a mask of what is brighter than its median.

    Args:
        picture: ``uint8 [H, W, 3]``.
        channels: 1 or 3.

    Returns:
        ``uint8 [H, W, channels]``.

    Example:
        >>> stand_in(np.uint8([[[9, 9, 9], [200, 200, 200]]]), 1).tolist()
        [[[255], [0]]]
    """
    mirrored = picture[:, ::-1]
    if channels > 1:
        return np.ascontiguousarray(mirrored)
    grey = mirrored @ LUMA
    mask: Picture = np.where(grey > np.median(grey), 255, 0).astype(np.uint8)[..., None]
    return mask
