"""``pocketlens run``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import app, output
from pocketlens.errors import InputError

if TYPE_CHECKING:
    from pocketlens.runtimes.session import Session


@app.command(
    epilog="Example: pocketlens run wave.bundle selfie.jpg -o stylized; "
    "or: pocketlens run wave.bundle --video in.mp4 -o out.mp4; or: pocketlens run wave.bundle --camera 0 --screen; "
    "or: pocketlens run atelier.bundle selfie.jpg --style ink=0.5,oil=0.5"
)
def run(
    bundle: Annotated[Path, typer.Argument(help="A bundle (folder or .zip) or one artifact.")],
    picture: Annotated[list[Path] | None, typer.Argument(help="Pictures, or folders of them.")] = None,
    video: Annotated[Path | None, typer.Option(help="A clip; its sound is kept. - reads the standard input.")] = None,
    camera: Annotated[str, typer.Option(help="A camera's number, or KIND:NAME in FFmpeg's words.")] = "",
    screen: Annotated[bool, typer.Option("--screen", help="Show the video in a window.")] = False,
    smooth: Annotated[float, typer.Option(min=0, max=0.99, help="Against flicker in video; 0.7 is strong.")] = 0.0,
    frames: Annotated[int | None, typer.Option(min=1, help="Stop a video after so many frames.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for pictures (stylized), or the video file.")
    ] = None,
    artifact: Annotated[str | None, typer.Option(help="Artifact id, for instance tflite-fp16-256x256.")] = None,
    runtime: output.Runtime = None,
    threads: output.Threads = None,
    delegate: Annotated[str | None, typer.Option(help="What computes in the runtime, for instance xnnpack.")] = None,
    precision: Annotated[str | None, typer.Option(help="What to compute in: fp32, fp16, bf16 or auto.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, gpu, npu or auto.")] = None,
    resize: Annotated[
        str | None, typer.Option(help="stretch, fit, crop or tile; the bundle's own if left out.")
    ] = None,
    style: Annotated[
        list[str] | None, typer.Option(help="Of a style pack: a name, or a blend such as ink=0.5,oil=0.5.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why this artifact plays in this runtime.")] = False,
    json: output.Json = False,
) -> None:
    """Stylize pictures, a clip or a camera; pictures are written as PNG of their own size, with their alpha."""
    from pocketlens import load
    from pocketlens.runtimes.styling import parse

    if (bool(picture), video is not None, bool(camera)).count(True) != 1:
        raise InputError("give pictures, --video or --camera", do="one of the three")
    session = load(
        bundle,
        runtime=runtime,
        threads=threads,
        artifact=artifact,
        delegate=delegate,
        precision=precision,
        device=device,
        resize=resize,
    )
    with session:
        if style:
            session.style = parse(style)
        if explain and not json:
            output.say(session.explain())
        if picture:
            _pictures(session, picture, out or Path("stylized"), json)
        else:
            _video(session, video or camera, out, screen, smooth, frames, json)


def _pictures(session: "Session", picture: list[Path], out: Path, json: bool) -> None:
    from pocketlens import images

    paths = [inner for path in picture for inner in (images.folder(path) if path.is_dir() else [path])]
    targets = {path: out / f"{path.stem}.png" for path in paths}
    _check_names(targets)
    rows = []
    with output.progress() as notify:
        for index, (path, target) in enumerate(targets.items()):
            notify(path.name, index, len(targets))
            found = images.decode(path)
            stylized = session(found.picture)
            images.write(target, stylized, found.alpha if found.picture.shape == stylized.shape else None)
            height, width = found.picture.shape[:2]
            rows.append({"picture": str(path), "stylized": str(target), "size": [height, width]})
    info = session.runtime_info
    if json:
        output.document({"pictures": rows, "session": info.document()})
        return
    output.table(
        ["picture", "stylized", "size"],
        [[str(r["picture"]), str(r["stylized"]), f"{r['size'][0]}x{r['size'][1]}"] for r in rows],
    )
    output.say(f"{info.runtime} {info.version}, computed at {session.size[0]}x{session.size[1]}")


def _video(
    session: "Session", given: Path | str, out: Path | None, screen: bool, smooth: float, frames: int | None, json: bool
) -> None:
    from pocketlens.runtimes.video import Progress, stylize
    from pocketlens.runtimes.video.source import open_camera, open_file
    from pocketlens.runtimes.video.window import Window

    if out is None and not screen:
        raise InputError("there is nowhere for the video to go", do="-o out.mp4 or --screen")
    if isinstance(given, Path) and out is not None and out.exists() and given.exists() and out.samefile(given):
        raise InputError(f"the result would replace the clip {given}", do="choose another name with -o")
    window = Window(f"Pocketlens: {given}") if screen else None
    source = open_file(given) if isinstance(given, Path) else open_camera(given)
    with output.progress() as notify:

        def tell(now: Progress) -> None:
            total = frames or now.total
            notify(f"{now.fps:.1f} fps, p95 {now.p95_ms:.1f} ms", now.done, max(now.done, total))

        done = stylize(
            session,
            source,
            out,
            screen=window,
            smooth=smooth,
            progress=tell if sys.stderr.isatty() else None,
            most_frames=frames,
        )
    if json:
        output.document({"video": done, "out": out, "session": session.runtime_info.document()})
    else:
        where = f" in {out}" if out else ""
        left_out = f", {done.dropped} left out" if done.dropped else ""
        output.say(f"{done.frames} frames{where}{left_out}; {done.fps:.1f} fps, p95 {done.p95_ms:.1f} ms")
    if done.stopped:
        output.say("stopped; the frames until then are in the file" if out else "stopped")
        raise typer.Exit(130)


def _check_names(targets: dict[Path, Path]) -> None:
    """Refuse to lose a picture: under another one's name, or under its own."""
    taken: dict[str, Path] = {}
    for path, target in targets.items():
        other = taken.setdefault(str(target).casefold(), path)  # some systems take a.png and A.png for the same
        if other != path:
            raise InputError(f"{other} and {path} would both become {target}", do="run them into different folders")
    given = {_identity(path): path for path in targets if path.exists()}
    for target in targets.values():
        if target.exists() and (own := given.get(_identity(target))):
            raise InputError(f"the result would replace the picture {own}", do="choose another folder with -o")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
