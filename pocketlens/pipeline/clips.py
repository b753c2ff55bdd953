"""Clips to see flicker on: a video, a folder of frames, or a picture that is made to move."""

from pathlib import Path

import numpy as np
from PIL import Image

from pocketlens import images
from pocketlens.errors import InputError, require
from pocketlens.files import regular
from pocketlens.images import Picture

FRAMES = 7
"""Frames of a synthetic clip: one, two after a pan, two after a zoom, two in which nothing moves but the sensor's
noise."""
MAX_FRAMES = 24
"""Frames of a given clip that are played, from its start."""
_NOISE = 2.0
_SEED = 20260303


def synthetic(picture: Picture, height: int, width: int) -> tuple[Picture, ...]:
    """A clip from one picture, as a hand holds a camera: it pans, zooms, then stands still; every frame has noise.

    Args:
        picture: ``uint8 [H, W, 3]``, of any size.
        height: Of the frames, in pixels.
        width: Of the frames, in pixels.

    Returns:
        :data:`FRAMES` frames ``uint8 [height, width, 3]``; the same picture gives the same clip.
    """
    image = Image.fromarray(images.fill(picture, height, width))
    rng = np.random.default_rng(_SEED)
    # The box that is seen, as shares of the picture: left, upper, side. Steps of fractions of a pixel, as real ones
    # are.
    step = min(0.01, 1.5 / max(height, width))
    boxes = [(0.05, 0.05, 0.9)]
    boxes += [(0.05 + k * step, 0.05 + k * step / 2, 0.9) for k in (1, 2)]
    left, upper, _ = boxes[-1]
    boxes += [(left + k * step / 2, upper + k * step / 2, 0.9 - k * step) for k in (1, 2)]
    boxes += [boxes[-1]] * 2
    frames = []
    for x, y, side in boxes:
        box = (x * width, y * height, (x + side) * width, (y + side) * height)
        seen = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box=box), np.float32)
        frames.append(images.to_uint8(seen + rng.normal(0, _NOISE, seen.shape)))
    return tuple(frames)


def read(path: Path, height: int, width: int) -> tuple[Picture, ...]:
    """The first :data:`MAX_FRAMES` frames of a video or of a folder of frames in the order of their names.

    Raises:
        InputError: It is absent, or not two frames can be read from it.
        MissingError: It is a video and PyAV is not installed.
    """
    if path.is_dir():
        frames = [images.read(frame) for frame in images.folder(path)[:MAX_FRAMES]]
    else:
        frames = _video(path)
    if len(frames) < 2:
        raise InputError(f"{path} holds {len(frames)} frames", do="give a clip of at least two")
    return tuple(images.fill(frame, height, width) for frame in frames)


def _video(path: Path) -> list[Picture]:
    regular(path, "check pictures.clip in the recipe")
    require("av", "video")
    from pocketlens.runtimes.video.source import Frame, open_file

    frames: list[Picture] = []
    source = open_file(path)
    try:
        for item in source:  # to the end where it is short, so that a clip that is cut is found
            if isinstance(item, Frame):
                frames.append(item.picture)
            if len(frames) == MAX_FRAMES:
                break
    finally:
        source.close()
    return frames
