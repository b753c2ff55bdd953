"""``pocketlens search``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output

if TYPE_CHECKING:
    from pocketlens.recipe_search.command import SearchResult


@command(
    "search wave.toml --fps 30 --hours 2",
    "search wave.toml --device local --device ssh://pi@raspberrypi.local --fps 30 --trials 40 --pick smallest",
)
def search(
    recipe: options.Recipe,
    out: Annotated[Path | None, options.out("The folder that gets everything.", "NAME-search")] = None,
    device: options.Devices = None,
    fps: options.Fps = None,
    hours: Annotated[
        float | None,
        typer.Option(metavar="H", min=0.001, help="No trial begins after so long.", show_default="2"),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Trials of the study, earlier runs included, at most.")
    ] = None,
    storage: Annotated[
        str, typer.Option(metavar="URL", help="A database for the study, for a team: postgresql://…")
    ] = "",
    executor: Annotated[str, typer.Option(metavar="dask://HOST:PORT", help="Carry tasks out on a Dask cluster.")] = "",
    at_once: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="Trials at a time on this machine; measuring stays alone.")
    ] = 1,
    threads: options.Threads = 2,
    pick: Annotated[
        str,
        typer.Option(metavar="N|RULE", help="Write the bundle of a trial, or of the smallest, quickest or best."),
    ] = "",
    json: options.Json = False,
) -> None:
    """Search for students, files and ways to play them that hold a frame rate on devices, nearest to the teacher.

    Before a training its time is predicted; what cannot hold the budget is never trained. The same command goes on
    where a search was stopped or killed. Exit code 1 if no trial holds every gate and budget.
    """
    from pocketlens.recipe_search.command import search as search_recipes

    with output.progress() as notify:
        found = search_recipes(
            recipe,
            out,
            devices=tuple(device or ["local"]),
            fps=fps,
            hours=hours,
            trials=trials,
            storage=storage,
            executor=executor,
            at_once=at_once,
            threads=threads,
            pick=pick,
            notify=notify,
        )
    if json:
        output.document(found)
    else:
        _show(found, tuple(device or ["local"]))
    if not found.front:
        raise typer.Exit(1)


def _show(found: "SearchResult", devices: tuple[str, ...]) -> None:
    from pocketlens.recipe_search.latency import error_text

    rows = [
        [
            str(point.trial),
            point.text,
            f"{point.ssim:.4f}",
            *(f"{ms:.2f}" for ms in point.p95_ms),
            f"{point.mb:.2f}",
            ", ".join(point.broken) or "-",
        ]
        for point in (found.front or found.points)
    ]
    title = "front: no other trial beats these" if found.front else "no trial holds every gate and budget"
    columns = ["trial", "candidate", "SSIM", *(f"{device} ms" for device in devices), "MB", "breaks"]
    output.table(columns, rows, title)
    output.say(
        f"{found.trials} trials: {len(found.points)} measured, {found.not_trained} predicted over the budget and not "
        f"trained, {found.trials - len(found.points) - found.not_trained} given up, failed or unfinished"
    )
    if text := error_text(list(found.prediction_errors)):
        output.say(text)
    output.say(f"page: {(found.folder / 'front.html').resolve()}")
    if found.picked is not None:
        output.say(f"bundle: {found.picked.resolve()}")
