"""``distill``: a smaller generator in place of a recipe's source, and the recipe that builds it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens import files
from pocketlens.errors import InputError, require
from pocketlens.models.source import Source, resolve
from pocketlens.pipeline.builtin_origin import with_builtin_origin
from pocketlens.pipeline.commands.model import signature_of
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
    recipe_path: Path, output: Path | None = None, *, threads: int = 2, bench: bool = True,
    notify: Progress = silent,
) -> Distilled:  # fmt: skip
    """Distill a recipe's source as its ``[compress]`` says.

    A run that was interrupted is continued, and ends with the same weights.

    Args:
        recipe_path: The recipe. Without ``[compress]``, its defaults are used.
        output: A folder for the student, its recipe, previews and the state of the training; ``NAME-student`` if left
            out.
        threads: Of torch, and of the measurement.
        bench: Measure teacher and student.
        notify: Told about progress.

    Raises:
        InputError: The recipe or its source is wrong.
        MissingError: torch, or torch-pruning for a copy of fewer channels, is not installed.
    """
    recipe, base = Recipe.read(recipe_path), recipe_path.parent
    folder = output or Path(f"{recipe.filter.name}-student")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", do="choose another output folder")
    _check_apart(folder, recipe_path, recipe_source(recipe.filter, base))
    teacher, compressed = make_student(recipe, base, folder, threads=threads, notify=notify)
    files.write(
        folder / "recipe.toml", recipe_of_student(recipe, base, compressed.path, compressed.architecture).text()
    )
    student = resolve(compressed.path.name, base=compressed.path.parent, architecture=compressed.architecture)
    size = recipe.filter.generator_size
    times = measure_times(teacher, student, size, threads, notify) if bench else (None, None)
    return Distilled(folder / "recipe.toml", compressed, *times)


def recipe_of_student(recipe: Recipe, base: Path, student: Path, architecture: str) -> Recipe:
    """The recipe that builds a student, beside its checkpoint.

    Args:
        recipe: Of the teacher.
        base: The folder that its paths are relative to.
        student: The checkpoint.
        architecture: The student's.
    """
    recipe = with_builtin_origin(recipe)
    student_filter = recipe.filter.model_copy(
        update={
            "source": student.name, "architecture": architecture, "input_range": None,
            "output_range": None, "input": "", "output": "", "constants": {}, "mean": None, "deviation": None,
            "input_order": "RGB", "output_order": "RGB", "license_file": _absolute(base, recipe.filter.license_file),
        }
    )  # fmt: skip
    pictures = recipe.pictures.model_copy(
        update={name: _absolute(base, value) for name, value in recipe.pictures if value}
    )
    return recipe.model_copy(update={"filter": student_filter, "pictures": pictures, "compress": None})


def _check_apart(folder: Path, recipe: Path, source: Source) -> None:
    inputs = [recipe, *([source.path] if source.path else [])]
    if folder.resolve() in [path.resolve().parent for path in inputs]:
        raise InputError(
            f"{folder} holds the recipe or its source, which the student would replace",
            do="choose another output folder",
        )


def make_student(
    recipe: Recipe, base: Path, folder: Path, *, threads: int = 2, pause: int | None = None, notify: Progress = silent
) -> "tuple[Source, Compressed]":
    """Make the student of a recipe in a folder; gives the teacher's source too."""
    require("torch", "build")
    from pocketlens.models.distill.compress import compress

    source = recipe_source(recipe.filter, base)
    size = recipe.filter.generator_size
    eval_set = read_eval_set(base / recipe.pictures.judge if recipe.pictures.judge else None, *size)
    trained = recipe.pictures.train or recipe.pictures.calibrate
    pictures = base / trained if trained else None
    if recipe.pictures.judge and pictures:
        check_unseen(base / recipe.pictures.judge, pictures)
    teacher_outputs = play_teacher(source, eval_set)
    compressed = compress(
        source, recipe.compress or Compress(), size, eval_set.pictures, teacher_outputs, pictures, folder,
        threads=threads, pause=pause, notify=notify,
    )  # fmt: skip
    return source, compressed


@dataclass(frozen=True)
class StudentPlace:
    """Where the cache keeps a student.

    Attributes:
        key: Of the entry of kind ``student``.
        work: The folder of its training while it is trained.
    """

    key: str
    work: Path


def student_place(recipe: Recipe, base: Path, threads: int) -> StudentPlace:
    """The place of the student of a recipe with ``[compress]``, whether it is there or not."""
    source = recipe_source(recipe.filter, base)
    assert recipe.compress is not None
    trained = recipe.pictures.train or recipe.pictures.calibrate
    import torch

    from pocketlens import images
    from pocketlens.models.training.loop import VERSION

    pictures = [files.sha256(path) for path in images.folder(base / trained)] if trained else []
    key = files.key_of(
        source=source.key, ranges=asdict(source.ranges), compress=recipe.compress.key(),
        size=recipe.filter.generator_size, pictures=pictures, threads=threads, version=VERSION,
    )  # fmt: skip
    # Not of the code, as elsewhere in the cache: nobody trains for an hour again because of an upgrade.
    return StudentPlace(key, files.cache_folder() / "training" / files.key_of(student=key, torch=torch.__version__))


def student_source(
    recipe: Recipe, base: Path, *, threads: int, pause: int | None = None, notify: Progress = silent
) -> Source:
    """The student of a recipe with ``[compress]``, from the cache if it was made before.

    Raises:
        TrainingPaused: Its training came to ``pause`` steps; called again, it goes on from there.
    """
    from pocketlens.models.checkpoint_metadata import read_metadata

    where = student_place(recipe, base, threads)

    def make(folder: Path) -> None:
        make_student(recipe, base, where.work, threads=threads, pause=pause, notify=notify)
        for name in ("student.safetensors", "student.json"):
            files.copy(where.work / name, folder / name)

    place = files.cached("student", where.key, make)
    files.remove(where.work)
    metadata = read_metadata(place / "student.safetensors")
    assert metadata is not None
    return resolve("student.safetensors", base=place, architecture=metadata.architecture)


def recipe_source(table: Filter, base: Path) -> Source:
    """The generator that a recipe's ``[filter]`` names."""
    return resolve(
        table.source, base=base, architecture=table.architecture, ranges=(table.input_range, table.output_range),
        size=table.generator_size, signature=signature_of(table),
    )  # fmt: skip


def _absolute(base: Path, name: str) -> str:
    return str((base / name).resolve()) if name else ""
