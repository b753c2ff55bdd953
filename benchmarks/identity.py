"""How similar persons are to SFace: a photograph saved again, two strangers, and before and after a filter.

    python -m benchmarks.identity                # every filter that ships
    python -m benchmarks.identity my.bundle      # a bundle

The portraits are those of the wheels of scikit-image and matplotlib (three persons); strangers are the faces of
scikit-image's part of LFW (25 x 25 pixels, grey, enlarged), 97 of which are found.
"""

import argparse
import io
from itertools import combinations
from pathlib import Path

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image

from benchmarks.skin import Play, player
from pocketlens import images
from pocketlens.identity import embed, find_faces, kept_faces
from pocketlens.images import Picture
from pocketlens.models import zoo
from pocketlens.models.photographs import photographs
from pocketlens.models.source import resolve

PORTRAITS = ("astronaut", "hopper", "camera")
SIDE = 256


def portraits() -> dict[str, Picture]:
    known = {p.name: p for p in photographs.table()}
    return {name: images.fill(photographs.load(known[name]), SIDE, SIDE) for name in PORTRAITS}


def saved_again(picture: Picture) -> dict[str, Picture]:
    """The same photograph as it comes back from an app."""
    changed = {f"JPEG, quality {quality}": _jpeg(picture, quality) for quality in (90, 60, 30)}
    for share in (2, 4):
        small = images.resize(picture, SIDE // share, SIDE // share)
        changed[f"{SIDE // share} x {SIDE // share} and back"] = images.resize(small, SIDE, SIDE)
    noise = np.random.default_rng(0).normal(0, 8, picture.shape)
    changed["noise of 8"] = images.to_uint8(picture + noise)
    changed["a third darker"] = images.to_uint8(picture * 0.67)
    changed["grey"] = images.to_uint8(np.repeat((picture @ images.LUMA)[..., None], 3, 2))
    return changed


def _jpeg(picture: Picture, quality: int) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def strangers() -> NDArray[np.float64]:
    """The similarity of each pair of different faces."""
    vectors = []
    for grey in np.load(Path(skimage.__file__).parent / "data/lfw_subset.npy")[:100]:
        large = images.resize(np.repeat(images.to_uint8(255 * grey)[..., None], 3, 2), 100, 100)
        framed = np.pad(large, ((50, 50), (50, 50), (0, 0)), mode="edge")
        if found := find_faces(framed):
            vectors.append(embed(framed, found[0]))
    similarity = np.array(vectors) @ np.array(vectors).T
    return similarity[np.triu_indices(len(vectors), 1)].astype(np.float64)


def plays(sources: list[str]) -> dict[str, Play]:
    """What is asked for, or every filter that ships; of a pack each style."""
    if sources:
        return {source: player(source) for source in sources}
    found: dict[str, Play] = {}
    for name in sorted(zoo.BUILTINS):
        styles = resolve(f"builtin:{name}", base=Path()).styles
        found |= {f"{name}, {style}": player(name, style) for style in styles} or {name: player(name)}
    return found


def _row(name: str, values: list[float]) -> None:
    print(f"| {name} | {min(values):.2f} | {np.median(values):.2f} | {max(values):.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*")
    args = parser.parse_args()
    shown = portraits()
    print("| what | least | median | most |\n|---|---|---|---|")
    changed = {name: saved_again(picture) for name, picture in shown.items()}
    for change in changed[PORTRAITS[0]]:
        _row(change, [kept_faces(shown[name], changed[name][change])[0].similarity for name in PORTRAITS])
    vectors = {name: embed(picture, find_faces(picture)[0]) for name, picture in shown.items()}
    _row("these persons, two by two", [float(vectors[a] @ vectors[b]) for a, b in combinations(PORTRAITS, 2)])
    _row("97 strangers, two by two", strangers().tolist())
    percentiles = np.percentile(strangers(), (95, 99))
    print(f"| strangers, 95th and 99th percentile | {percentiles[0]:.2f} | | {percentiles[1]:.2f} |")
    for filter_name, play in plays(args.bundles).items():
        kept = [kept_faces(picture, play(picture))[0] for picture in shown.values()]
        lost = sum(not face.found for face in kept)
        _row(filter_name + (f" ({lost} faces not found)" if lost else ""), [face.similarity for face in kept])


if __name__ == "__main__":
    main()
