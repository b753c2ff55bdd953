"""A clip for Chromium's fake camera."""

from pathlib import Path

import numpy as np

from pocketlens import images
from pocketlens.images import Picture
from pocketlens.pipeline.eval_set import SHIPPED

FACE = images.folder(SHIPPED / "judge")[0]
"""The portrait that tests hold before the camera."""
SIZE = (480, 640)


def write_clip(picture: Picture, path: Path, frames: int = 3) -> None:
    """Write a still picture as YUV4MPEG2 in 640 x 480, colours as BT.601 in 16..235, each stored for 2 x 2 pixels."""
    r, g, b = np.moveaxis(np.asarray(images.fill(picture, *SIZE), np.float64), -1, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    small = [plane.reshape(SIZE[0] // 2, 2, SIZE[1] // 2, 2).mean((1, 3)) for plane in (u, v)]
    planes = b"".join(np.rint(plane).clip(0, 255).astype(np.uint8).tobytes() for plane in (y, *small))
    header = f"YUV4MPEG2 W{SIZE[1]} H{SIZE[0]} F30:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(header + (b"FRAME\n" + planes) * frames)
