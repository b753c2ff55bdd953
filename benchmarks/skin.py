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
from skimage.color import rgb2lab

import pocketlens
from pocketlens import images
from pocketlens.images import Picture
from pocketlens.likeness import Box, likeness
from pocketlens.models.photographs import photographs
from pocketlens.skin import MONK, Gap, Portrait, gap, shift, skin

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


def portrait(name: str) -> Portrait:
    """A photograph of the wheels with its largest face in the middle of a square."""
    photograph = {photograph.name: photograph for photograph in photographs.table()}[name]
    found = Portrait.of(name, photographs.load(photograph), SIDE, SIDE)
    assert found is not None
    return found


def rows(play: Play) -> list[Row]:
    """Every portrait in its own colours and in those of the scale."""
    measurements = []
    for name in PORTRAITS:
        shown = portrait(name)
        tones = [("own", shown.picture)]
        tones += [(f"Monk {number}", shown.in_tone(tone)) for number, tone in enumerate(MONK, 1)]
        measurements += [measured(name, tone, picture, play(picture), shown.skin) for tone, picture in tones]
    return measurements


def tone_gap(play: Play) -> Gap:
    """The worst tone beside the best, as `[gate] skin` judges it."""
    shown = [portrait(name) for name in PORTRAITS]
    return gap({
        number: [shift(p.in_tone(tone), play(p.in_tone(tone)), p.skin) for p in shown]
        for number, tone in enumerate(MONK, 1)
    })  # fmt: skip


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
    if not args.picture:
        worst = tone_gap(play)
        print(
            f"\ntone {worst.worst} moves {worst.size:.1f} further than tone {worst.best} "
            f"(95 %: {worst.low:.1f} to {worst.high:.1f}; lightness and hue, CIELAB)"
        )


def _sheet(play: Play) -> Picture:
    lines = []
    for name in PORTRAITS:
        portrait_ = portrait(name)
        shown = [portrait_.picture, *(portrait_.in_tone(tone) for tone in (*MONK[::2], MONK[-1]))]
        lines += [np.concatenate(shown, 1), np.concatenate([play(picture) for picture in shown], 1)]
    return np.concatenate(lines, 0)


if __name__ == "__main__":
    main()
