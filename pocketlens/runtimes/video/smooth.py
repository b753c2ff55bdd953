"""Temporal smoothing: where the scene stands still, stylized frames are mixed; where it moves, they are not."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from pocketlens.images import Picture

STILL, MOVING = 6, 20
"""Differences of the blurred scene, of 255: it stands still up to the first, and moves from the second on."""


class TemporalSmoother:
    """Mixes each stylized frame with the one before, as far as the scene under it stands still.

    It compares frames of the scene, not stylized frames: a change in the scene is motion, a change without one is
    flicker.

    Args:
        strength: 0..1, the share of the frame before where nothing moves.
    """

    def __init__(self, strength: float) -> None:
        ramp = np.clip((MOVING - np.arange(256)) / (MOVING - STILL), 0, 1)
        self._keep = [round(255 * strength * share) for share in ramp]
        self._scene: Image.Image | None = None
        self._before: Image.Image | None = None

    def __call__(self, scene: Picture, stylized: Picture) -> Picture:
        """The next frame, smoothed.

        Args:
            scene: The frame of the clip, ``uint8 [H, W, 3]``.
            stylized: The filter's output for it, of the same size.
        """
        now = Image.fromarray(scene).filter(ImageFilter.BoxBlur(1))
        new = Image.fromarray(stylized)
        if self._scene is not None and self._before is not None and self._before.size == new.size == now.size:
            # The largest difference nearby: pixels that a moving object has just uncovered count as moving.
            red, green, blue = ImageChops.difference(now, self._scene).split()
            moved = ImageChops.lighter(ImageChops.lighter(red, green), blue).filter(ImageFilter.MaxFilter(5))
            new = Image.composite(self._before, new, moved.filter(ImageFilter.BoxBlur(2)).point(self._keep))
        self._scene, self._before = now, new
        return np.array(new, np.uint8)
