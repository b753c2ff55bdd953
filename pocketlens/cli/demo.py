"""``pocketlens demo``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output

if TYPE_CHECKING:
    from pocketlens.images import Picture

_PACK, _PACK_SIDE = "gallery", 384
"""The pack of which every demo shows the styles, and the side in pixels that it is made for."""


@command("demo -o demo", "demo --filter starry -o demo")
def demo(
    out: Annotated[Path, options.out("Folder for the bundle and the pictures.")] = Path("demo"),
    name: Annotated[
        str, typer.Option("--filter", metavar="NAME", help="A filter that ships; pocketlens zoo lists them.")
    ] = "cartoon",
    json: options.Json = False,
) -> None:
    """Build a filter that ships: every target, verified and measured, with the report and a stylized portrait.

    The strip gallery.png, beside the bundle, shows the portrait in the six styles of the pack gallery.
    """
    from pocketlens import images, load
    from pocketlens.cli.build import report
    from pocketlens.models.zoo import builtin
    from pocketlens.pipeline.commands.build import build
    from pocketlens.pipeline.eval_set import SHIPPED

    with output.progress() as notify:
        built = build(builtin(name).recipe, out / f"{name}.bundle", notify=notify)
    portrait = images.folder(SHIPPED / "judge")[0]
    with load(built.path) as session:
        pictures = {out / f"{portrait.stem}-{style or name}.png": style for style in session.styles or (None,)}
        for path, style in pictures.items():
            images.write(path, session(images.read(portrait), style=style))
    strip = out / f"{_PACK}.png"
    images.write(strip, styles_strip(images.read(portrait)))
    if not json:
        for path in (*pictures, strip):
            output.say(f"picture: {path.resolve()}")
    report(built, json)


def styles_strip(portrait: "Picture", side: int = _PACK_SIDE) -> "Picture":
    """A portrait, and beside it the portrait in each style of the pack ``gallery``, as its module draws it.

    Args:
        portrait: ``uint8 [height, width, 3]``, RGB; cut to a square.
        side: Of each square, in pixels; a multiple of 4.

    Returns:
        ``uint8 [side, side * (1 + styles), 3]``.
    """
    import numpy as np

    from pocketlens import images
    from pocketlens.models.source import resolve
    from pocketlens.models.teacher import torch_teacher
    from pocketlens.pipeline.eval_set import pure

    pack = resolve(f"builtin:{_PACK}", base=Path())
    paint, square = torch_teacher(pack.load(), pack.ranges), images.fill(portrait, side, side)
    count = len(pack.styles)
    painted = [images.to_uint8(paint(square, pure(index, count))) for index in range(count)]
    strip: Picture = np.concatenate([square, *painted], 1)
    return strip
