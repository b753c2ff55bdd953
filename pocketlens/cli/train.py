"""``pocketlens train``."""

from pathlib import Path
from typing import Annotated

import typer

from pocketlens.cli import app, output
from pocketlens.errors import InputError

_Folders = Annotated[
    tuple[Path, Path] | None, typer.Option(help="Two folders of pictures that do not belong together.")
]


@app.command(epilog="Example: pocketlens train --effect my_effects.py:woodcut --name woodcut -o woodcut")
def train(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the filter, its recipe and previews.")],
    effect: Annotated[
        str, typer.Option(help="module:function or file.py:function, picture to picture; it is run.")
    ] = "",
    pairs: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Folders before and after, with the same names.")
    ] = None,
    folders: _Folders = None,
    style: Annotated[Path | None, typer.Option(help="One picture whose look is wanted; needs --vgg.")] = None,
    vgg: Annotated[Path | None, typer.Option(help="torchvision's weights file of VGG-16, for --style.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Pictures to learn on; those that ship if left out.")] = None,
    name: Annotated[str, typer.Option(help="What the filter is called.")] = "filter",
    size: Annotated[int, typer.Option(help="Height and width in pixels, a multiple of 32.")] = 256,
    steps: Annotated[int, typer.Option(min=1, help="Weight updates.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of everything random.")] = 7,
    threads: Annotated[int, typer.Option(min=1, max=output.MAX_THREADS, help="Threads to train with.")] = 2,
    json: output.Json = False,
) -> None:
    """Train a filter from an effect, from pairs of pictures, from two folders, or from one style picture.

    The folder gets previews on the way and a recipe that build takes. Stopped or killed, the same command goes on.
    """
    from pocketlens.pipeline.commands.train import Wish
    from pocketlens.pipeline.commands.train import train as work

    if vgg and not style:
        raise InputError("--vgg is for --style, which is not given", do="give --style, or leave --vgg out")
    if pictures and (pairs or folders):
        raise InputError("--pictures is for --effect and --style", do="leave it out: the folders hold the pictures")
    wish = Wish(effect, pairs, folders, (style, vgg) if style else None, pictures)
    with output.progress() as notify:
        made = work(wish, out, name=name, size=size, steps=steps, seed=seed, threads=threads, notify=notify)
    if json:
        output.document(made)
        return
    columns = list(made.history[-1])
    output.table(columns, [[f"{one[c]:g}" for c in columns] for one in made.history], title="Minutes on 2 cores")
    if made.alone:
        output.say(f"left out, because the other folder has none of the name: {made.alone}")
    output.say(f"previews in {out / 'previews'}; pocketlens build {made.recipe}")
