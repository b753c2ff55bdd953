"""``pocketlens run``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output
from pocketlens.errors import InputError

if TYPE_CHECKING:
    from pocketlens.bundle.first_look import FirstLook
    from pocketlens.runtimes.session import Session


@command(
    "run wave.bundle selfie.jpg -o stylized",
    "run wave.bundle --video in.mp4 -o out.mp4",
    "run wave.bundle --camera 0 --screen",
    "run atelier.bundle selfie.jpg --style ink=0.5,oil=0.5",
)
def run(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle (folder or .zip), or one artifact.")],
    picture: Annotated[
        list[Path] | None, typer.Argument(metavar="PICTURE", help="Pictures, or folders of them.")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A clip; its sound is kept. - reads the standard input.")
    ] = None,
    camera: Annotated[
        str, typer.Option(metavar="CAMERA", help="A camera's number, or KIND:NAME in FFmpeg's words.")
    ] = "",
    screen: Annotated[bool, typer.Option("--screen", help="Show the video in a window.")] = False,
    smooth: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=0.99, help="Against flicker in video; 0.7 is strong.")
    ] = 0.0,
    frames: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop a video after so many frames.")] = None,
    out: Annotated[Path | None, options.out("Folder for the pictures (stylized), or the video file.")] = None,
    artifact: options.Artifact = None,
    runtime: options.Runtime = None,
    accelerator: options.Accelerator = None,
    compute_precision: options.ComputePrecision = None,
    threads: options.RuntimeThreads = None,
    resize: Annotated[
        str | None,
        typer.Option(metavar="HOW", help="stretch, fit, crop or tile.", show_default="as the bundle says"),
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of a style pack: a name, or a blend such as ink=0.5,oil=0.5."),
    ] = None,
    input_range: options.InputRange = None,
    output_range: options.OutputRange = None,
    why: Annotated[bool, typer.Option("--why", help="Say why this artifact plays in this runtime.")] = False,
    json: options.Json = False,
) -> None:
    """Stylize pictures, a clip or a camera; pictures are written as PNG of their own size, with their alpha.

    Ranges are for a file that somebody else made: the files of a bundle take and give 0..255.
    """
    from pocketlens import load
    from pocketlens.bundle.first_look import FirstLook
    from pocketlens.runtimes.styling import parse

    if (bool(picture), video is not None, bool(camera)).count(True) != 1:
        raise InputError("give pictures, --video or --camera", do="one of the three")
    session = load(
        bundle,
        runtime=runtime,
        threads=threads,
        artifact=artifact,
        accelerator=accelerator,
        compute_precision=compute_precision,
        resize=resize,
        input_range=input_range,
        output_range=output_range,
    )
    looks = FirstLook(bundle, (input_range, output_range))
    with session:
        if style:
            session.style = parse(style)
        if why and not json:
            output.say(session.explain())
        if picture:
            _pictures(session, picture, out or Path("stylized"), json, looks)
        else:
            _video(session, video or camera, out, screen, smooth, frames, json)


def _pictures(session: "Session", picture: list[Path], out: Path, json: bool, looks: "FirstLook") -> None:
    from pocketlens import images

    paths = [inner for path in picture for inner in (images.folder(path) if path.is_dir() else [path])]
    results = {path: out / f"{path.stem}.png" for path in paths}
    _check_names(results)
    rows = []
    with output.progress() as notify:
        for index, (path, result) in enumerate(results.items()):
            notify(path.name, index, len(results))
            decoded = images.decode(path)
            stylized = session(decoded.picture)
            if index == 0:
                looks.check(decoded.picture, stylized, session.size)
            images.write(result, stylized, decoded.alpha if decoded.picture.shape == stylized.shape else None)
            height, width = decoded.picture.shape[:2]
            rows.append({"picture": str(path), "stylized": str(result), "size": [height, width]})
    output.warn(looks.warnings)
    info = session.runtime_info
    if json:
        output.document({"pictures": rows, "session": info.document()})
        return
    output.table(
        ["picture", "stylized", "size"],
        [[str(row["picture"]), str(row["stylized"]), f"{row['size'][0]}x{row['size'][1]}"] for row in rows],
    )
    where = f" on {info.delegate}" if info.delegate else ""
    output.say(f"{info.runtime} {info.version}{where}, computed at {session.size[0]}x{session.size[1]}")
    if info.elsewhere:
        output.say(f"the processor computed {info.elsewhere}")


def _video(
    session: "Session",
    clip_or_camera: Path | str,
    out: Path | None,
    screen: bool,
    smooth: float,
    frames: int | None,
    json: bool,
) -> None:
    from pocketlens.runtimes.video import VideoProgress, stylize
    from pocketlens.runtimes.video.preview import PreviewWindow
    from pocketlens.runtimes.video.source import open_camera, open_file

    if out is None and not screen:
        raise InputError("there is nowhere for the video to go", do="-o out.mp4 or --screen")
    if isinstance(clip_or_camera, Path) and out is not None and _is_same(clip_or_camera, out):
        raise InputError(f"the result would replace the clip {clip_or_camera}", do="choose another name with -o")
    window = PreviewWindow(f"Pocketlens: {clip_or_camera}") if screen else None
    source = open_file(clip_or_camera) if isinstance(clip_or_camera, Path) else open_camera(clip_or_camera)
    with output.progress() as notify:

        def show(state: VideoProgress) -> None:
            total = frames or state.total
            notify(f"{state.fps:.1f} fps, p95 {state.p95_ms:.1f} ms", state.done, max(state.done, total))

        played = stylize(
            session,
            source,
            out,
            screen=window,
            smooth=smooth,
            progress=show if sys.stderr.isatty() else None,
            most_frames=frames,
        )
    if json:
        output.document({"video": played, "out": out, "session": session.runtime_info.document()})
    else:
        where = f" in {out}" if out else ""
        left_out = f", {played.dropped} left out" if played.dropped else ""
        output.say(f"{played.frames} frames{where}{left_out}; {played.fps:.1f} fps, p95 {played.p95_ms:.1f} ms")
    if played.stopped:
        output.say("stopped; the frames until then are in the file" if out else "stopped")
        raise typer.Exit(130)


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def _check_names(results: dict[Path, Path]) -> None:
    """Refuse to lose a picture: under another one's name, or under its own."""
    sources: dict[str, Path] = {}
    for path, result in results.items():
        other = sources.setdefault(str(result).casefold(), path)  # some systems take a.png and A.png for the same
        if other != path:
            raise InputError(f"{other} and {path} would both become {result}", do="run them into different folders")
    by_file = {_identity(path): path for path in results if path.exists()}
    for result in results.values():
        if result.exists() and (source := by_file.get(_identity(result))):
            raise InputError(f"the result would replace the picture {source}", do="choose another folder with -o")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
