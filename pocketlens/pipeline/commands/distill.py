"""``distill``: a smaller generator in place of a recipe's source, and the recipe that builds it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens import files
from pocketlens.errors import InputError, require
from pocketlens.models.source import Source, resolve
from pocketlens.pipeline.eval_set import check_unseen, read_eval_set
from pocketlens.pipeline.student_summary import measure_times
from pocketlens.pipeline.teacher import play_teacher
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Compress, Filter, Recipe

if TYPE_CHECKING:
    from pocketlens.models.distill.compress import Compressed


@dataclass(frozen=True)
class Distilled:
    """What a distillation wrote.

    Attributes:
        recipe: The recipe that builds the student.
        compressed: The student and how it came about.
        teacher_ms: Median time of the teacher's graph in onnxruntime, in ms; None if it was not measured.
        student_ms: The student's, measured in the same run, in turns.
    """

    recipe: Path
    compressed: "Compressed"
    teacher_ms: float | None
    student_ms: float | None


def distill(
    recipe: Path, output: Path | None = None, *, threads: int = 2, bench: bool = True,
    notify: Progress = silent,
) -> Distilled:  # fmt: skip
    """Distill a recipe's source as its ``[compress]`` says.

    A run that was interrupted goes on where it was, to the same weights.

    Args:
        recipe: The recipe. Without ``[compress]``, its defaults are taken.
        output: A folder for the student, its recipe, previews and the state of the training; ``NAME-student`` if left out.
        threads: Of torch, and of the measurement.
        bench: Measure teacher and student.
        notify: Told about progress.

    Raises:
        InputError: The recipe or its source is wrong.
        MissingError: torch, or torch-pruning for a copy of fewer channels, is not installed.
    """
    told = Recipe.read(recipe)
    folder = output or Path(f"{told.filter.name}-student")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", do="choose another output folder")
    _check_apart(folder, recipe, source_of(told.filter, recipe.parent))
    source, done = student(told, recipe.parent, folder, threads=threads, notify=notify)
    about = told.filter.model_copy(
        update={
            "source": done.path.name, "architecture": done.architecture, "input_range": None, "output_range": None,
            "license_file": _absolute(recipe.parent, told.filter.license_file),
        }
    )  # fmt: skip
    shown = told.pictures.model_copy(
        update={name: _absolute(recipe.parent, value) for name, value in told.pictures if value}
    )
    written = folder / "recipe.toml"
    files.write(written, told.model_copy(update={"filter": about, "pictures": shown, "compress": None}).text())
    own = resolve(done.path.name, base=done.path.parent, architecture=done.architecture)
    measured = measure_times(source, own, told.filter.sizes[0], threads, notify) if bench else (None, None)
    return Distilled(written, done, *measured)


def _check_apart(folder: Path, recipe: Path, source: Source) -> None:
    taken = [recipe, *([source.path] if source.path else [])]
    if folder.resolve() in [path.resolve().parent for path in taken]:
        raise InputError(
            f"{folder} holds the recipe or its source, which the student would replace",
            do="choose another output folder",
        )


def student(
    recipe: Recipe, base: Path, folder: Path, *, threads: int = 2, notify: Progress = silent
) -> "tuple[Source, Compressed]":
    """Make the student of a recipe in a folder; gives the teacher's source too."""
    require("torch", "build")
    from pocketlens.models.distill.compress import compress

    source = source_of(recipe.filter, base)
    size = recipe.filter.sizes[0]
    judged = read_eval_set(base / recipe.pictures.judge if recipe.pictures.judge else None, *size)
    trained = recipe.pictures.train or recipe.pictures.calibrate
    pictures = base / trained if trained else None
    if recipe.pictures.judge and pictures:
        check_unseen(base / recipe.pictures.judge, pictures)
    references = play_teacher(source, judged)
    done = compress(
        source, recipe.compress or Compress(), size, judged.pictures, references, pictures, folder,
        threads=threads, notify=notify,
    )  # fmt: skip
    return source, done


def compressed_source(recipe: Recipe, base: Path, *, threads: int, notify: Progress) -> Source:
    """The student of a recipe with ``[compress]``, from the cache if it was made before."""
    source = source_of(recipe.filter, base)
    assert recipe.compress is not None
    trained = recipe.pictures.train or recipe.pictures.calibrate
    import torch

    from pocketlens import images
    from pocketlens.models import made
    from pocketlens.models.training.run import VERSION

    shown = [files.sha256(path) for path in images.folder(base / trained)] if trained else []
    key = files.key_of(
        source=source.key, ranges=asdict(source.ranges), compress=recipe.compress.key(),
        size=recipe.filter.sizes[0], pictures=shown, threads=threads, version=VERSION,
    )  # fmt: skip
    # Not of the code, as elsewhere in the cache: nobody trains for an hour again because of an upgrade.
    work = files.cache_folder() / "training" / files.key_of(student=key, torch=torch.__version__)

    def make(folder: Path) -> None:
        student(recipe, base, work, threads=threads, notify=notify)
        for name in ("student.safetensors", "student.json"):
            files.copy(work / name, folder / name)

    place = files.cached("student", key, make)
    files.remove(work)
    how = made.read(place / "student.safetensors")
    assert how is not None
    return resolve("student.safetensors", base=place, architecture=how.architecture)


def source_of(about: Filter, base: Path) -> Source:
    """A recipe's source."""
    return resolve(
        about.source, base=base, architecture=about.architecture, ranges=(about.input_range, about.output_range),
        size=about.sizes[0],
    )  # fmt: skip


def _absolute(base: Path, name: str) -> str:
    return str((base / name).resolve()) if name else ""
