"""``pocketlens train``."""

from pathlib import Path
from typing import Annotated

import typer

from pocketlens.cli import command, options, output
from pocketlens.errors import InputError

_Folders = tuple[Path, Path] | None


@command(
    "train --effect my_effects.py:woodcut --name woodcut -o woodcut",
    "train --pairs before after -o retouched",
)
def train(
    out: Annotated[Path, options.out("Folder for the filter, its recipe and previews.")],
    effect: Annotated[
        str,
        typer.Option(
            metavar="CODE:FUNCTION", help="module:function or file.py:function, from picture to picture; it is run."
        ),
    ] = "",
    pairs: Annotated[
        _Folders, typer.Option(metavar="BEFORE AFTER", help="Folders of paired pictures, with the same names.")
    ] = None,
    folders: Annotated[_Folders, typer.Option(metavar="BEFORE AFTER", help="Folders of unpaired pictures.")] = None,
    style_image: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One picture whose look is wanted; needs --vgg.")
    ] = None,
    vgg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="torchvision's weights of VGG-16, for --style-image.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Pictures to train on, for --effect and --style-image.",
            show_default="those that ship",
        ),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the filter is called.")] = "filter",
    size: options.Size = "256x256",
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Weight updates.")] = 2000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=2**31 - 1, help="Of everything random.")] = 7,
    threads: options.Threads = 2,
    json: options.Json = False,
) -> None:
    """Train a filter from an effect, from pairs of pictures, from two folders, or from one style image.

    The folder gets previews on the way, and a recipe for pocketlens build. --size is a square, a multiple of 32. If a
    training was stopped or killed, the same command goes on where it was.
    """
    from pocketlens.pipeline.commands.train import TrainingSpec
    from pocketlens.pipeline.commands.train import train as train_filter

    if vgg and not style_image:
        raise InputError("--vgg is for --style-image, which is not given", do="give --style-image, or leave --vgg out")
    if pictures and (pairs or folders):
        raise InputError(
            "--pictures is for --effect and --style-image", do="leave it out: the folders hold the pictures"
        )
    height, width = options.parse_size(size)
    if height != width:
        raise InputError(f"--size is {size}, but filters are trained on squares", do=f"give {height}x{height}")
    spec = TrainingSpec(effect, pairs, folders, (style_image, vgg) if style_image else None, pictures)
    with output.progress() as notify:
        trained = train_filter(
            spec, out, name=name, size=height, steps=steps, seed=seed, threads=threads, notify=notify
        )
    if json:
        output.document(trained)
        return
    columns = list(trained.history[-1])
    rows = [[f"{scores[column]:g}" for column in columns] for scores in trained.history]
    output.table(columns, rows, title="Minutes on 2 cores")
    if trained.unpaired:
        output.say(f"pictures left out, because the other folder has none of their name: {trained.unpaired}")
    output.say(f"previews in {out / 'previews'}; pocketlens build {trained.recipe}")
