"""What a filter does to skin: a portrait in the ten tones of the Monk scale, before and after.

A recoloured portrait has the light and the structure of its photograph and the colour of somebody else. It tells what a
filter does to a colour, and nothing about faces that were not photographed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens import images
from pocketlens.images import Picture
from pocketlens.likeness import Box, faces

MONK = (
    "f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420",
)  # fmt: skip
"""Monk Skin Tone scale (Ellis Monk, Google; CC-BY-4.0), the lightest first, as sRGB."""
_BLOCK = 8
"""Neighbouring pixels are alike: an interval draws squares of so many pixels, not pixels."""
_DRAWS = 2000


@dataclass(frozen=True, eq=False)
class Portrait:
    """A photograph of one person in front.

    Attributes:
        name: What it is called.
        picture: ``uint8 [height, width, 3]``.
        face: The face.
        skin: Where its skin is, ``bool [height, width]``.
    """

    name: str
    picture: Picture
    face: Box
    skin: NDArray[np.bool_]

    @classmethod
    def of(cls, name: str, photograph: Picture, height: int, width: int) -> "Portrait | None":
        """The largest face of a photograph in the middle of a picture of this size; None where no face is found."""
        found = faces(photograph)
        if not found:
            return None
        face, (rows, columns) = found[0], photograph.shape[:2]
        side = min(rows, columns, 2 * face.height)
        top = int(np.clip(face.top + face.height // 2 - side // 2, 0, rows - side))
        left = int(np.clip(face.left + face.width // 2 - side // 2, 0, columns - side))
        cut = images.fill(np.ascontiguousarray(photograph[top : top + side, left : left + side]), height, width)
        found = faces(cut)
        return cls(name, cut, found[0], skin(_lab(cut), found[0])) if found else None

    def in_tone(self, tone: str) -> Picture:
        """The portrait with the skin of face and neck in a tone; see :func:`recoloured`."""
        return recoloured(self.picture, self.face, self.skin, tone)


@dataclass(frozen=True, eq=False)
class Shift:
    """What happened to the skin of one portrait in one tone, in CIELAB.

    Attributes:
        lightness: How much lighter it became.
        hue: How far its hue moved, as a distance: at the same angle it is larger for colourful skin.
        blocks: Lightness and hue of each square of skin, ``[squares, 2]``; the two above are their means.
    """

    lightness: float
    hue: float
    blocks: NDArray[np.float64]

    @property
    def size(self) -> float:
        """Both together."""
        return float(np.hypot(self.lightness, self.hue))


def shift(before: Picture, after: Picture, mask: NDArray[np.bool_]) -> Shift:
    """How a filter moved skin.

    Args:
        before: ``uint8 [height, width, 3]``.
        after: The filter's picture, of the same size.
        mask: Where skin is.
    """
    (light, a, b), (light_after, a_after, b_after) = (_lab(picture)[mask].T for picture in (before, after))
    chroma, chroma_after = np.hypot(a, b), np.hypot(a_after, b_after)
    # ΔH of CIELAB, with its sign: twice the root of both chromas times the sine of half the angle between them.
    angle = np.arctan2(a * b_after - b * a_after, a * a_after + b * b_after)
    moved = np.stack([light_after - light, 2 * np.sqrt(chroma * chroma_after) * np.sin(angle / 2)], 1)
    rows, columns = np.nonzero(mask)
    _, block = np.unique(rows // _BLOCK * mask.shape[1] + columns // _BLOCK, return_inverse=True)
    counts = np.bincount(block)
    blocks = np.stack([np.bincount(block, moved[:, i]) / counts for i in range(2)], 1)
    lightness, hue = blocks.mean(0)
    return Shift(float(lightness), float(hue), blocks)


@dataclass(frozen=True)
class Gap:
    """How much further skin moves in the worst tone than in the best.

    Attributes:
        worst: The number of the tone, 1..10.
        best: The number of the tone.
        size: The difference of their shifts, in CIELAB.
        low: The lower end of its 95 % interval, from drawing squares of skin anew.
        high: The upper end.
    """

    worst: int
    best: int
    size: float
    low: float
    high: float


def gap(shifts: dict[int, list[Shift]], seed: int = 7) -> Gap:
    """The worst tone beside the best.

    Args:
        shifts: Number of a tone → the shift of each portrait.
        seed: Of the draws.
    """
    sizes = {tone: float(np.mean([shift.size for shift in of_tone])) for tone, of_tone in shifts.items()}
    worst, best = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
    random = np.random.default_rng(seed)
    drawn = _drawn(shifts[worst], random) - _drawn(shifts[best], random)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Gap(worst, best, sizes[worst] - sizes[best], float(low), float(high))


def _drawn(shifts: list[Shift], random: np.random.Generator) -> NDArray[np.float64]:
    """The mean size of a tone's shifts, for each draw."""
    sizes = []
    for one in shifts:
        picked = random.integers(len(one.blocks), size=(_DRAWS, len(one.blocks)))
        sizes.append(np.hypot(*one.blocks[picked].mean(1).T))
    drawn: NDArray[np.float64] = np.mean(sizes, 0)
    return drawn


def skin(lab: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    """The pixels of a face that have the colour of most of it: no eyes, lips, hair or background."""
    inside = np.zeros(lab.shape[:2], bool)
    inset = box.height // 8
    inside[box.top + inset : box.top + box.height - inset, box.left + inset : box.left + box.width - inset] = True
    middle = np.median(lab[inside], axis=0)
    near = (np.linalg.norm(lab[..., 1:] - middle[1:], axis=-1) < 12) & (np.abs(lab[..., 0] - middle[0]) < 28)
    mask: NDArray[np.bool_] = inside & near
    return mask


def recoloured(picture: Picture, face: Box, mask: NDArray[np.bool_], tone: str) -> Picture:
    """The picture with the skin of face and neck in a tone, six hexadecimal digits; shading keeps its share of the
    lightness.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.color import lab2rgb

    lab = _lab(picture)
    colour = _lab(np.array([[[int(tone[i : i + 2], 16) for i in (0, 2, 4)]]], np.uint8))[0, 0]
    mean = lab[mask].mean(0)
    moved = colour + (lab - mean) * (colour[0] / mean[0])
    rows, columns = np.indices(lab.shape[:2])
    # A face is taller than the square that the cascade finds, and the neck is below it.
    down = (rows - face.top - 0.62 * face.height) / (0.95 * face.height)
    across = (columns - face.left - face.width / 2) / (0.68 * face.width)
    around = np.clip((1.15 - np.hypot(down, across)) / 0.3, 0, 1)
    like = np.clip((24 - np.linalg.norm(lab[..., 1:] - mean[1:], axis=-1)) / 8, 0, 1) * (lab[..., 0] > 22)
    soft = gaussian_filter(around * like, 1.0)[..., None]
    return images.to_uint8(255 * lab2rgb(lab + soft * (moved - lab)))


def _lab(picture: Picture) -> NDArray[np.float64]:
    from skimage.color import rgb2lab

    lab: NDArray[np.float64] = rgb2lab(picture)
    return lab
