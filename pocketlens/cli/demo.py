"""``pocketlens demo``."""

from pathlib import Path
from typing import Annotated

import typer

from pocketlens.cli import command, options, output


@command("demo -o demo", "demo --filter starry -o demo")
def demo(
    out: Annotated[Path, options.out("Folder for the bundle and the pictures.")] = Path("demo"),
    name: Annotated[
        str, typer.Option("--filter", metavar="NAME", help="A filter that ships; pocketlens zoo lists them.")
    ] = "cartoon",
    json: options.Json = False,
) -> None:
    """The main job on a filter that ships: build every target, verify, measure, report, stylize a portrait."""
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
    if not json:
        for path in pictures:
            output.say(f"picture: {path.resolve()}")
    report(built, json)
