"""Temporal smoothing: where the scene stands still, the stylized picture does too; where it moves, nothing is mixed."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from pocketlens.images import Picture

STILL, MOVING = 6, 20
"""Differences of the blurred scene, of 255: up to the first it stands still, from the second on it moves."""


class TemporalSmoother:
    """Mixes each stylized frame with the one before, as far as the scene under it stands still.

    The scene is looked at, not the stylized picture: what flickers there is the filter, and what moves there is motion.

    Args:
        strength: 0..1; how much of the frame before is kept where nothing moves.
    """

    def __init__(self, strength: float) -> None:
        ramp = np.clip((MOVING - np.arange(256)) / (MOVING - STILL), 0, 1)
        self._keep = [round(255 * strength * share) for share in ramp]
        self._scene: Image.Image | None = None
        self._before: Image.Image | None = None

    def __call__(self, scene: Picture, stylized: Picture) -> Picture:
        """The next frame, smoothed.

        Args:
            scene: What was filmed, ``uint8 [H, W, 3]``.
            stylized: What the filter made of it, of the same size.
        """
        now = Image.fromarray(scene).filter(ImageFilter.BoxBlur(1))
        new = Image.fromarray(stylized)
        if self._scene is not None and self._before is not None and self._before.size == new.size == now.size:
            # The largest difference around: what has just uncovered its surroundings moves, too.
            red, green, blue = ImageChops.difference(now, self._scene).split()
            moved = ImageChops.lighter(ImageChops.lighter(red, green), blue).filter(ImageFilter.MaxFilter(5))
            new = Image.composite(self._before, new, moved.filter(ImageFilter.BoxBlur(2)).point(self._keep))
        self._scene, self._before = now, new
        return np.array(new, np.uint8)
