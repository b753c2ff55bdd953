"""``pocketlens run``."""

import functools
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens import machine
from pocketlens.cli import command, options, output
from pocketlens.errors import InputError
from pocketlens.outside_text import for_terminal

if TYPE_CHECKING:
    from pocketlens.bundle.first_look import FirstLook
    from pocketlens.credentials import Credentials, Seal
    from pocketlens.runtimes.folders import PictureDone, PictureJob
    from pocketlens.runtimes.session import Session

_MOST_LISTED = 50
"""Pictures that are listed one by one."""
_FORMATS = (".png", ".jpg", ".webp", ".tif")
"""Formats that pictures are written in; each has a place for the metadata."""


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
    out: Annotated[Path | None, options.out("Folder for the pictures, or the video file.", "stylized")] = None,
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
        typer.Option(metavar="NAME", help=options.STYLE),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="Of pictures: png, jpg, webp or tif.")
    ] = "png",
    credentials: Annotated[
        Path | None,
        typer.Option(metavar="KEY", help="Sign as C2PA content credentials: a PEM file with key and certificates."),
    ] = None,
    no_provenance: Annotated[
        bool, typer.Option("--no-provenance", help="Leave out of the metadata that a trained filter made it.")
    ] = False,
    second_picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The second picture or mask, of a filter that takes one.")
    ] = None,
    input_range: options.InputRange = None,
    output_range: options.OutputRange = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave out pictures whose results are there, whole and no older.")
    ] = False,
    why: Annotated[bool, typer.Option("--why", help="Say why this artifact plays in this runtime.")] = False,
    json: options.Json = False,
) -> None:
    """Stylize pictures, a clip or a camera.

    Pictures keep their size, and their alpha unless they become JPEG. Several pictures, or frames of a clip, are played
    at the same time, one on each core, unless --threads or an accelerator is given. Pictures that cannot be read are
    listed at the end, and the exit code is 1 then. The metadata of what is written says which filter made it, unless
    you ask to leave that out.

    Ranges are for a file that somebody else made: the files of a bundle take and give 0..255.
    """
    from pocketlens import load
    from pocketlens.bundle.first_look import FirstLook
    from pocketlens.credentials import Seal
    from pocketlens.runtimes.styling import parse

    if (bool(picture), video is not None, bool(camera)).count(True) != 1:
        raise InputError("give pictures, --video or --camera", do="one of the three")
    if f".{format_}" not in _FORMATS:
        raise InputError(f"there is no format {format_!r}", do=f"choose from {', '.join(f[1:] for f in _FORMATS)}")
    key = _key(credentials, no_provenance)
    jobs = _jobs(picture or [], out or Path("stylized"), f".{format_}")
    one_each = (len(jobs) > 1 or video is not None) and threads is None and accelerator in (None, "cpu", "xnnpack")
    session = load(
        bundle,
        runtime=runtime,
        threads=1 if one_each else threads,
        artifact=artifact,
        accelerator=accelerator,
        compute_precision=compute_precision,
        resize=resize,
        input_range=input_range,
        output_range=output_range,
    )
    looks = FirstLook(bundle, (input_range, output_range))
    seal = Seal(None if no_provenance else session.origin, key)
    with session:
        if style:
            session.style = parse(style)
        if second_picture:
            _second(session, second_picture)
        one_each = one_each and not session.states  # each frame needs what the one before left
        if why and not json:
            output.say(session.explain())
        if picture:
            _pictures(session, jobs, machine.cores() if one_each else 1, resume, json, looks, seal)
        else:
            with ExitStack() as opened:
                others = [
                    opened.enter_context(session.another()) for _ in range(machine.cores() - 1 if one_each else 0)
                ]
                _video([session, *others], video or camera, out, screen, smooth, frames, looks, seal, json)


def _key(credentials: Path | None, no_provenance: bool) -> "Credentials | None":
    if credentials is None:
        return None
    if no_provenance:
        raise InputError("--credentials and --no-provenance exclude each other", do="leave one of them out")
    from pocketlens.credentials import read_credentials

    return read_credentials(credentials)


def _second(session: "Session", path: Path) -> None:
    from pocketlens import images

    if not session.second:
        raise InputError("the filter takes one picture", do="leave --second-picture out")
    colours = images.read(path)
    session.second_picture = colours if session.second > 1 else images.to_uint8(colours @ images.LUMA)


def _pictures(
    session: "Session",
    jobs: "list[PictureJob]",
    most_sessions: int,
    resume: bool,
    json: bool,
    looks: "FirstLook",
    seal: "Seal",
) -> None:
    from pocketlens.runtimes.folders import PictureDone, stylize_file, stylize_files

    remaining = [job for job in jobs if not (resume and job.done)]
    there, start = len(jobs) - len(remaining), time.monotonic()
    done: list[PictureDone] = []
    with output.progress() as notify, ExitStack() as opened:
        # One picture alone, first: a file that paints black is found here.
        while remaining and not any(finished.size for finished in done):
            done.append(
                stylize_file(session, remaining.pop(0), functools.partial(looks.check, size=session.size), seal)
            )
        sessions = [session]
        while len(sessions) < min(most_sessions, len(remaining)):
            sessions.append(opened.enter_context(session.another()))
        done += stylize_files(sessions, remaining, notify, seal=seal)
    output.warn(looks.warnings)
    broken = [finished.problem for finished in done if finished.problem is not None]
    if broken and len(jobs) == 1:
        raise broken[0]
    _report(session, done, there, time.monotonic() - start, json)
    for problem in broken:
        typer.echo(for_terminal(f"left out: {problem.what}"), err=True)
    if broken:
        raise typer.Exit(1)


def _report(session: "Session", done: "list[PictureDone]", there: int, seconds: float, json: bool) -> None:
    info = session.runtime_info
    if json:
        rows = [
            {"picture": str(finished.job.source), "stylized": str(finished.job.target), "size": finished.size}
            for finished in done if finished.size is not None
        ]  # fmt: skip
        broken = {str(finished.job.source): finished.problem.what for finished in done if finished.problem is not None}
        output.document({"pictures": rows, "broken": broken, "already_there": there, "session": info.document()})
        return
    whole = [(finished.job, finished.size) for finished in done if finished.size is not None]
    if len(whole) <= _MOST_LISTED:
        output.table(
            ["picture", "stylized", "size"],
            [[str(job.source), str(job.target), f"{size[0]}x{size[1]}"] for job, size in whole],
        )
    if len(done) + there > 1:
        counts = f"{len(whole)} pictures, {len(whole) / seconds:.1f} a second"
        output.say(", ".join([counts, *([f"{there} were there"] if there else [])]))
    where = f" on {info.delegate}" if info.delegate else ""
    output.say(f"{info.runtime} {info.version}{where}, computed at {session.size[0]}x{session.size[1]}")
    if info.elsewhere:
        output.say(f"the processor computed {info.elsewhere}")


def _video(
    sessions: "list[Session]",
    clip_or_camera: Path | str,
    out: Path | None,
    screen: bool,
    smooth: float,
    frames: int | None,
    looks: "FirstLook",
    seal: "Seal",
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
    clip = clip_or_camera if isinstance(clip_or_camera, Path) and clip_or_camera.is_file() else None
    with output.progress() as notify:

        def show(state: VideoProgress) -> None:
            total = frames or state.total
            notify(f"{state.fps:.1f} fps, p95 {state.p95_ms:.1f} ms", state.done, max(state.done, total))

        played = stylize(
            sessions,
            source,
            out,
            screen=window,
            smooth=smooth,
            progress=show if sys.stderr.isatty() else None,
            most_frames=frames,
            origin=seal.origin,
            finish=functools.partial(seal.finish, source=clip),
            look=functools.partial(looks.check_frame, size=sessions[0].size),
        )
    output.warn(looks.warnings)
    if json:
        output.document({"video": played, "out": out, "session": sessions[0].runtime_info.document()})
    else:
        where = f" in {out}" if out else ""
        left_out = f", {played.dropped} left out" if played.dropped else ""
        output.say(f"{played.frames} frames{where}{left_out}; {played.fps:.1f} fps, p95 {played.p95_ms:.1f} ms")
        costs = f"decode {played.decode_ms:.1f}, filter {played.filter_ms:.1f}, encode {played.encode_ms:.1f} ms"
        output.say(f"a frame, median: {costs}")
        if played.age_ms is not None:
            output.say(f"a frame is {played.age_ms[0]:.0f} ms old when it is shown, p95 {played.age_ms[1]:.0f} ms")
    if played.stopped:
        output.say("stopped; the frames until then are in the file" if out else "stopped")
        raise typer.Exit(130)


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def _jobs(pictures: list[Path], out: Path, suffix: str) -> "list[PictureJob]":
    from pocketlens import images
    from pocketlens.runtimes.folders import PictureJob

    paths = [inner for path in pictures for inner in (images.folder(path) if path.is_dir() else [path])]
    results = {path: out / f"{path.stem}{suffix}" for path in paths}
    _check_names(results)
    return [PictureJob(path, result) for path, result in results.items()]


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
