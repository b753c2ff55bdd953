"""``pocketlens train``."""

from pathlib import Path
from typing import Annotated

import typer

from pocketlens.cli import command, options, output
from pocketlens.errors import InputError

_Folders = tuple[Path, Path] | None


@command(
    "train --effect my_effects.py:woodcut --name woodcut -o woodcut",
    "train --style painting.jpg --strength 0.8 -o painted",
    "train --pairs before after -o retouched",
    "train --pack pack.toml -o pack",
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
    style: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=options.STYLE),
    ] = None,
    strength: Annotated[
        float, typer.Option(metavar="SHARE", help="With --style: how much of the painting's style, 0.05 to 1.")
    ] = 1,
    style_size: Annotated[
        int,
        typer.Option(metavar="PIXELS", help="With --style: shorter side at which the painting is read, 256 to 4096."),
    ] = 256,
    own_colours: Annotated[
        float, typer.Option(metavar="SHARE", help="With --style: how much of the photograph's own colours, 0 to 1.")
    ] = 0,
    preview: Annotated[
        bool, typer.Option("--preview", help="With --style: write the contact sheet and nothing else.")
    ] = False,
    vgg: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --style: train, by the features of torchvision's VGG-16, whose weights this is."
        ),
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file that lists the styles of a pack.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="With --effect, --style or --pack: pictures to train on.",
            show_default="those that ship",
        ),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the filter is called.")] = "filter",
    size: options.Size = "",
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Weight updates.")] = 2000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=2**31 - 1, help="Of everything random.")] = 7,
    threads: options.Threads = 2,
    json: options.Json = False,
) -> None:
    """Train a filter from an effect, a painting, pairs of pictures or two folders, or a pack of several of these.

    The folder gets previews on the way, and a recipe for pocketlens build. --size is a square, a multiple of 32 from 64
    to 1024: 256x256 where it is left out, and 384x384 with --style. If a training was stopped or killed, the same
    command goes on where it was. A painting needs no training: the filter and a contact sheet of other strengths are
    there in seconds.
    """
    from pocketlens.pipeline.commands.train import TrainingSpec
    from pocketlens.pipeline.commands.train import train as train_filter
    from pocketlens.pipeline.commands.train_pack import train_pack
    from pocketlens.pipeline.commands.train_style import SHEET, Painting, preview_styles

    if vgg and not style:
        raise InputError("--vgg is for --style, which is not given", do="give --style, or leave --vgg out")
    if pictures and (pairs or folders):
        raise InputError(
            "--pictures is for --effect, --style and --pack", do="leave it out: the folders hold the pictures"
        )
    if pack and (effect or pairs or folders or style):
        raise InputError("--pack is a training of its own", do="list the other style in the pack's file")
    if preview and not style:
        raise InputError("--preview is for --style, which is not given", do="give --style, or leave --preview out")
    size = size or ("384x384" if style else "256x256")
    height, width = options.parse_size(size)
    if height != width:
        raise InputError(f"--size is {size}, but filters are trained on squares", do=f"give {height}x{height}")
    painting = Painting(style, strength, style_size, own_colours) if style else None
    if painting and not vgg:
        sheet = preview_styles(painting, pictures, height, out)
        if not json:
            output.say(f"styles to choose from: {sheet.resolve()}")
        if preview:
            if json:
                output.document({"sheet": sheet.resolve()})
            return
    with output.progress() as notify:
        if pack:
            trained = train_pack(
                pack, pictures, out, name=name, size=height, steps=steps, seed=seed, threads=threads, notify=notify
            )
        else:
            spec = TrainingSpec(effect, pairs, folders, painting, vgg, pictures)
            trained = train_filter(
                spec, out, name=name, size=height, steps=steps, seed=seed, threads=threads, notify=notify
            )
    if json:
        output.document(trained)
        return
    columns = list(trained.history[-1])
    rows = [[f"{scores[column]:g}" for column in columns] for scores in trained.history]
    if "minutes" in columns:
        output.table(columns, rows, title="Minutes on 2 cores")
    elif "ssim" in columns:
        output.table(columns, rows, title="Against Magenta's own file")
    if pack:
        output.say(f"a portrait in each style: {(out / SHEET).resolve()}")
    if trained.unpaired:
        output.say(f"pictures left out, because the other folder has none of their name: {trained.unpaired}")
    previews = f"previews in {out / 'previews'}; " if (out / "previews").is_dir() else ""
    output.say(f"{previews}pocketlens build {trained.recipe}")
