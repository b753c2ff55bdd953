"""One point of the front as what an app developer gets: a recipe, its student and the bundle."""

from collections.abc import Sequence
from pathlib import Path

from pocketlens import files
from pocketlens.errors import InputError
from pocketlens.models.checkpoint_metadata import read_metadata
from pocketlens.pipeline.commands.build import build
from pocketlens.pipeline.commands.distill import recipe_of_student
from pocketlens.progress import Progress
from pocketlens.recipe import Recipe
from pocketlens.recipe_search.front import Point
from pocketlens.recipe_search.keep import trial_folder

RULES = ("smallest", "quickest", "best")
_ORDER = {
    "smallest": lambda point: (point.mb, point.p95_ms, -point.ssim),
    "quickest": lambda point: (point.p95_ms, point.mb, -point.ssim),
    "best": lambda point: (-point.ssim, point.p95_ms, point.mb),
}


def check_pick(pick: str) -> None:
    """Refuse what can name no point, before anything is searched.

    Raises:
        InputError: It is neither a rule nor a number.

    Example:
        >>> check_pick("7")
        >>> check_pick("cheapest")
        Traceback (most recent call last):
        pocketlens.errors.InputError: there is no trial 'cheapest' to pick
          do: give one of smallest, quickest, best, or a trial's number
    """
    if pick and pick not in RULES and not pick.isdecimal():
        raise InputError(
            f"there is no trial {pick[:60]!r} to pick", do=f"give one of {', '.join(RULES)}, or a trial's number"
        )


def chosen(points: Sequence[Point], front: Sequence[Point], pick: str) -> Point:
    """The point that a rule or a number names.

    Args:
        points: Of all trials that came to their end; a number may name any of them.
        front: Those that a rule chooses from.
        pick: The number of a trial, or one of :data:`RULES`.

    Raises:
        InputError: No point is so called, or none holds.

    Example:
        >>> points = [Point(0, "a", 0.8, (9.0,), 2.0), Point(1, "b", 0.7, (8.0,), 1.0)]
        >>> chosen(points, points, "smallest").trial, chosen(points, points, "best").trial
        (1, 0)
    """
    if pick in RULES:
        if not front:
            raise InputError(
                "no trial holds every gate and budget, so that there is nothing to pick",
                do="search on, loosen a gate or the budget, or pick a trial by its number",
            )
        return min(front, key=_ORDER[pick])
    for point in points:
        if pick == str(point.trial):
            return point
    numbers = ", ".join(str(point.trial) for point in points) or "none came to its end"
    raise InputError(
        f"there is no trial {pick!r} to pick", do=f"give one of {', '.join(RULES)}, or a trial's number: {numbers}"
    )


def pick_trial(recipe: Recipe, base: Path, output: Path, point: Point, threads: int, notify: Progress) -> Path:
    """Write the recipe, the student and the bundle of a point; gives the bundle.

    The recipe builds the bundle again, to the same artifacts.

    Args:
        recipe: That was searched for.
        base: The folder that its paths are relative to.
        output: The folder of the search.
        point: The trial.
        threads: For the report's measurement.
        notify: Told about progress.
    """
    trial, place = trial_folder(output, point.trial), output / f"pick-{point.trial:04d}"
    metadata = read_metadata(trial / "student.safetensors")
    if metadata is None:
        raise InputError(f"{trial / 'student.safetensors'} was not written by a search", do="search again")
    own = Recipe.read(trial / "recipe.toml").model_copy(update={"pictures": recipe.pictures})
    own = own.model_copy(update={"filter": own.filter.model_copy(update={"license_file": recipe.filter.license_file})})
    # The point was measured on the search's own devices, so this machine's times leave none of its files out.
    own = own.model_copy(update={"bundle": own.bundle.model_copy(update={"keep_slower": True})})
    with files.whole(place) as folder:
        folder.mkdir()
        for name in ("student.safetensors", "student.json"):
            files.copy(trial / name, folder / name)
        student = recipe_of_student(own, base, folder / "student.safetensors", metadata.architecture)
        (folder / "recipe.toml").write_text(student.text())
    bundle = place / f"{own.filter.name}.bundle"
    build(place / "recipe.toml", bundle, threads=threads, notify=notify)
    return bundle
