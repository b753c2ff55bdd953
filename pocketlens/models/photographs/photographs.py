"""The photographs behind the shipped filter: where each comes from, its licence, and what it is used for.

All of them lie in the wheels of scikit-image and matplotlib, so nothing is downloaded. Run this file as a module to cut
the small pictures that ship in ``pictures/`` and to write their licence list.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from pocketlens import files, images
from pocketlens.errors import require

LIST = Path(__file__).parent / "photographs.toml"
"""Says everything about them that :class:`Photograph` holds."""
FOLDER = Path(__file__).parent / "pictures"
"""The folder of the pictures that calibrate and evaluate a filter when its recipe names none."""

Use = Literal["judge", "calibrate", "train"]
_SHIPPED_SIDE = 320
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Photograph:
    """A photograph that may be used freely.

    Attributes:
        name: What it is called here.
        file: Its file name.
        wheel: The import name of the library whose wheel holds it.
        use: ``judge``: for evaluation, never trained or calibrated on. ``calibrate``: also trained on. ``train``: only
            trained on.
        shows: What is on it.
        author: Who made it.
        licence: An SPDX identifier, or ``public domain``.
        stated: Who says so.
        crop: Left, top, right and bottom in pixels of what is used, or None for all of it.
    """

    name: str
    file: str
    wheel: Literal["skimage", "matplotlib"]
    use: Use
    shows: str
    author: str
    licence: str
    stated: str
    crop: tuple[int, int, int, int] | None = None


def table() -> tuple[Photograph, ...]:
    """Every photograph, in the order of ``photographs.toml``."""
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return tuple(
        Photograph(name=name, **{**entry, "crop": tuple(entry["crop"]) if "crop" in entry else None})
        for name, entry in entries.items()
    )


def load(photograph: Photograph) -> images.Picture:
    """The photograph as ``uint8 [height, width, 3]``, cropped.

    Raises:
        MissingError: The library that carries it is not installed.
        InputError: The library no longer carries it.
    """
    require(photograph.wheel, "build")
    if photograph.wheel == "skimage":
        import skimage

        home = Path(skimage.__file__).parent / "data"
    else:
        import matplotlib

        home = Path(matplotlib.get_data_path()) / "sample_data"
    picture = images.read(home / photograph.file)
    if photograph.crop is None:
        return picture
    left, top, right, bottom = photograph.crop
    return np.ascontiguousarray(picture[top:bottom, left:right])


def cut(folder: Path = FOLDER) -> None:
    """Write the pictures that calibrate and evaluate filters, at a small size, with ``LICENSES.md`` beside them."""
    rows = []
    for photograph in table():
        if photograph.use == "train":
            continue
        picture = Image.fromarray(load(photograph))
        picture.thumbnail((_SHIPPED_SIDE, _SHIPPED_SIDE), Image.Resampling.LANCZOS)
        place = f"{photograph.use}/{photograph.name}.jpg"
        with files.whole(folder / place) as part:
            picture.save(part, "JPEG", quality=_JPEG_QUALITY, optimize=True)
        rows.append(
            f"| {place} | {photograph.shows} | {photograph.author} | `{photograph.file}` of {photograph.wheel} "
            f"| {photograph.licence} | {photograph.stated} |"
        )
    head = "| picture | shows | author | cut from | licence | stated by |\n|---|---|---|---|---|---|\n"
    text = "# Where the pictures come from\n\nEach is scaled down, and some are cropped.\n\n"
    files.write(folder / "LICENSES.md", text + head + "\n".join(rows) + "\n")


if __name__ == "__main__":
    cut()
