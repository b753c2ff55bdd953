"""What a filter does to skin: portraits recoloured to the ten tones of the Monk scale, before and after.

    python -m benchmarks.skin cartoon            # a filter that ships
    python -m benchmarks.skin my.bundle --json   # any bundle
    python -m benchmarks.skin atelier --style oil
    python -m benchmarks.skin cartoon --picture man.jpg --box 20,60,90,80

A recoloured portrait has the light and the structure of its photograph and the colour of somebody else. It tells what a
filter does to a colour, and nothing about faces that were not photographed.
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.color import lab2rgb, rgb2lab

import pocketlens
from pocketlens import images
from pocketlens.images import Picture
from pocketlens.likeness import Box, faces, likeness
from pocketlens.models.photographs import photographs

MONK = (
    "f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420",
)  # fmt: skip
"""Monk Skin Tone scale (Ellis Monk, Google; CC-BY-4.0), the lightest first."""
SIDE = 256
PORTRAITS = ("astronaut", "hopper")
Play = Callable[[Picture], Picture]


@dataclass(frozen=True)
class Row:
    """What happened to the skin of one picture; lightness and chroma in CIELAB, hue and ITA in degrees."""

    picture: str
    tone: str
    lightness: float
    lightness_after: float
    chroma: float
    chroma_after: float
    hue_change: float
    ita: float
    ita_after: float
    dark: float
    dark_after: float
    face_found: bool
    likeness: float


def skin(lab: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    """The pixels of a face that have the colour of most of it: no eyes, lips, hair or background."""
    inside = np.zeros(lab.shape[:2], bool)
    inset = box.height // 8
    inside[box.top + inset : box.top + box.height - inset, box.left + inset : box.left + box.width - inset] = True
    middle = np.median(lab[inside], axis=0)
    return inside & (np.linalg.norm(lab[..., 1:] - middle[1:], axis=-1) < 12) & (np.abs(lab[..., 0] - middle[0]) < 28)


def recoloured(picture: Picture, face: Box, mask: NDArray[np.bool_], tone: str) -> Picture:
    """The picture with the skin of face and neck in a tone; shading keeps its share of the lightness."""
    from scipy.ndimage import gaussian_filter

    lab = rgb2lab(picture)
    colour = rgb2lab(np.array([[[int(tone[i : i + 2], 16) / 255 for i in (0, 2, 4)]]]))[0, 0]
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


def measured(name: str, tone: str, before: Picture, after: Picture, mask: NDArray[np.bool_]) -> Row:
    """One row of the table."""
    a, b = (rgb2lab(picture)[mask] for picture in (before, after))
    similarity = likeness(before, after)
    (la, aa, ba), (lb, ab, bb) = a.mean(0), b.mean(0)
    turn = math.degrees(math.atan2(bb, ab) - math.atan2(ba, aa))
    return Row(
        name, tone, la, lb, math.hypot(aa, ba), math.hypot(ab, bb), (turn + 180) % 360 - 180,
        math.degrees(math.atan2(la - 50, ba)), math.degrees(math.atan2(lb - 50, bb)),
        float((a[:, 0] < la / 2).mean()), float((b[:, 0] < lb / 2).mean()),
        bool(similarity and similarity.face_found), similarity.structure if similarity else math.nan,
    )  # fmt: skip


def portrait(name: str) -> tuple[Picture, Box]:
    """A portrait that ships with its largest face in the middle of a square, and the face."""
    photograph = {photograph.name: photograph for photograph in photographs.table()}[name]
    whole = photographs.load(photograph)
    face = faces(whole)[0]
    side = min(*whole.shape[:2], 2 * face.height)
    top = int(np.clip(face.top + face.height // 2 - side // 2, 0, whole.shape[0] - side))
    left = int(np.clip(face.left + face.width // 2 - side // 2, 0, whole.shape[1] - side))
    cut = images.resize(np.ascontiguousarray(whole[top : top + side, left : left + side]), SIDE, SIDE)
    return cut, faces(cut)[0]


def rows(play: Play) -> list[Row]:
    """Every portrait in its own colours and in those of the scale."""
    measurements = []
    for name in PORTRAITS:
        picture, face = portrait(name)
        mask = skin(rgb2lab(picture), face)
        measurements.append(measured(name, "own", picture, play(picture), mask))
        for number, tone in enumerate(MONK, 1):
            recoloured_picture = recoloured(picture, face, mask, tone)
            measurements.append(measured(name, f"Monk {number}", recoloured_picture, play(recoloured_picture), mask))
    return measurements


def player(source: str, style: str | None = None) -> Play:
    """A bundle, or a filter that ships, played by its module; of a pack in one style."""
    if Path(source).exists():
        return pocketlens.load(source)
    from pocketlens.models.source import resolve
    from pocketlens.models.teacher import torch_teacher
    from pocketlens.pipeline.eval_set import pure

    filter_ = resolve(f"builtin:{source}", base=Path())
    teacher = torch_teacher(filter_.load(), filter_.ranges)
    blend = pure(filter_.styles.index(style), len(filter_.styles)) if style else ()
    return lambda picture: images.to_uint8(teacher(picture, blend))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filter", help="the name of a filter that ships, or a bundle")
    parser.add_argument("--style", help="which one, of a pack that ships")
    parser.add_argument("--picture", type=Path, help="another picture, as it is")
    parser.add_argument("--box", help="where its skin is: top,left,height,width in pixels")
    parser.add_argument("--sheet", type=Path, help="write before and after as one picture")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    play = player(args.filter, args.style)
    if args.picture:
        picture, box = images.read(args.picture), Box(*map(int, args.box.split(",")))
        mask = skin(rgb2lab(picture), box)
        stylized = play(images.fill(picture, *(edge // 4 * 4 for edge in picture.shape[:2])))
        mask = mask[: stylized.shape[0], : stylized.shape[1]]
        table = [measured(args.picture.name, "own", picture[: stylized.shape[0], : stylized.shape[1]], stylized, mask)]
    else:
        table = rows(play)
    if args.sheet:
        images.write(args.sheet, _sheet(play))
    if args.json:
        print(json.dumps([asdict(row) for row in table], indent=2))
        return
    print("| portrait | skin | lightness | chroma | hue | ITA | darker than half | face found, likeness |")
    print("|---|---|---|---|---|---|---|---|")
    for row in table:
        found = "yes" if row.face_found else "no"
        print(
            f"| {row.picture} | {row.tone} | {row.lightness:.0f} -> {row.lightness_after:.0f} | {row.chroma:.0f} -> "
            f"{row.chroma_after:.0f} | {row.hue_change:+.0f} | {row.ita:.0f} -> {row.ita_after:.0f} | "
            f"{100 * row.dark:.0f} -> {100 * row.dark_after:.0f} % | {found}, {row.likeness:.2f} |"
        )


def _sheet(play: Play) -> Picture:
    lines = []
    for name in PORTRAITS:
        picture, face = portrait(name)
        mask = skin(rgb2lab(picture), face)
        shown = [picture, *(recoloured(picture, face, mask, tone) for tone in (*MONK[::2], MONK[-1]))]
        lines += [np.concatenate(shown, 1), np.concatenate([play(picture) for picture in shown], 1)]
    return np.concatenate(lines, 0)


if __name__ == "__main__":
    main()
