"""The tasks that a trial is made of. Each takes plain data and the cache, and gives plain data and entries of the
cache: any process of any machine with the same Pocketlens can carry one out.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pocketlens import files, images
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import measure
from pocketlens.bench.multi_device import open_device
from pocketlens.converters.verify import score
from pocketlens.errors import InputError
from pocketlens.images import to_uint8
from pocketlens.models.source import Source
from pocketlens.phones.layers import Costs
from pocketlens.pipeline.commands.build import evaluations_of
from pocketlens.pipeline.commands.distill import recipe_source, student_place, student_source
from pocketlens.pipeline.compile import compile_sizes
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.pipeline.stages.emit import VerifiedArtifact
from pocketlens.progress import silent
from pocketlens.quality import Scores
from pocketlens.recipe import Recipe
from pocketlens.recipe_search.inputs import Inputs
from pocketlens.recipe_search.untrained import student_costs, untrained_student
from pocketlens.runtimes.session import open_artifact

FILE = "search-file"
"""The kind of the cache's entries that hold a file with its pictures and scores."""


@dataclass(frozen=True)
class Job:
    """What a trial's tasks are about.

    Attributes:
        inputs: The recipe that is searched for, with its copied files.
        recipe: The candidate's.
        threads: Of torch.
    """

    inputs: Inputs
    recipe: Recipe
    threads: int

    @property
    def base(self) -> Path:
        """The folder that paths are relative to."""
        return self.inputs.folder


@dataclass(frozen=True)
class Trained:
    """Where a training stands.

    Attributes:
        history: Its scores; each with ``step``, ``worst_ssim`` and others.
        done: Whether it is at its end.
        entry: What of the cache it continues from, relative to the cache's folder.
    """

    history: tuple[dict[str, float], ...]
    done: bool
    entry: str


@dataclass(frozen=True)
class MadeFile:
    """A file that was made and verified.

    Attributes:
        entry: Of the cache, of kind :data:`FILE`: the file, the first judge picture and what must come of it, the worst
            picture beside the teacher's.
        id: Of the artifact.
        target: A name of :data:`pocketlens.targets.TARGETS`.
        precision: The one that it was emitted in.
        bytes: Of all its files.
        scores: The worst of each, over all judge pictures, against the teacher at the search's size.
        flicker: Of the clip; None where it was not measured.
        worst: The name of the picture with the worst SSIM.
        min_psnr: How near the first picture must come when it is measured, in dB.
    """

    entry: str
    id: str
    target: str
    precision: str
    bytes: int
    scores: Scores
    flicker: float | None
    worst: str
    min_psnr: float

    @property
    def folder(self) -> Path:
        """The entry's folder.

        Raises:
            InputError: It is not in this cache.
        """
        kind, key = self.entry.split("/")
        found = files.lookup(kind, key)
        if found is None:
            raise InputError(f"{self.id} is not in {files.cache_folder()} any more", do="run the search again")
        return found


@dataclass(frozen=True)
class Play:
    """How and where files are played.

    Attributes:
        device: As ``--device`` names it.
        runtime: Of :data:`pocketlens.runtimes.adapter.RUNTIMES`.
        threads: To play with.
        accelerator: That computes; empty for the runtime's choice.
    """

    device: str
    runtime: str
    threads: int
    accelerator: str = ""


def costs(job: Job) -> Costs:
    """What the candidate's student costs; nothing is trained."""
    assert job.recipe.compress is not None
    return student_costs(_teacher(job), job.recipe.compress, job.recipe.filter.sizes[0])


def teacher_answers(job: Job) -> str:
    """Record what the teacher gives for the training pictures; gives the entry of the cache."""
    from pocketlens.models.distill.compress import recorded_teacher

    recipe, base = job.recipe, job.base
    assert recipe.compress is not None
    trained = recipe.pictures.train or recipe.pictures.calibrate
    _, key = recorded_teacher(
        _teacher(job), recipe.compress, recipe.filter.sizes[0], base / trained if trained else None
    )
    return f"answers/{key}"


def train(job: Job, until: int | None) -> Trained:
    """Train the candidate's student, from where it stands until a step, or to its end."""
    from pocketlens.models.training.loop import TrainingPaused

    place = student_place(job.recipe, job.base, job.threads)
    try:
        source = student_source(job.recipe, job.base, threads=job.threads, pause=until)
    except TrainingPaused as paused:
        return Trained(paused.history, False, place.work.relative_to(files.cache_folder()).as_posix())
    assert source.path is not None
    history = json.loads(source.path.with_suffix(".json").read_text("utf-8"))["history"]
    return Trained(tuple(history), True, f"student/{place.key}")


def make_file(job: Job) -> MadeFile:
    """Make the candidate's file of its trained student, and score it against the teacher."""
    student = student_source(job.recipe, job.base, threads=job.threads)
    return _made(job, student, against_teacher=True)


def make_untrained_file(job: Job) -> MadeFile:
    """The same of a student that was never trained: its time can be measured, its pictures say nothing."""
    assert job.recipe.compress is not None
    return _made(job, untrained_student(_teacher(job), job.recipe.compress, job.recipe.filter.sizes[0]), False)


def measure_files(made: list[MadeFile], play: Play, settings: BenchmarkSettings) -> str:
    """Measure files in turns on a device; gives the document as JSON."""
    cases = []
    for number, file in enumerate(made):
        folder = file.folder
        cases.append(
            BenchmarkCase(
                artifact=file.id if len(made) == 1 else f"{number} {file.id}",
                path=next(path for path in (folder / "artifact").iterdir() if path.suffix != ".bin"),
                target=file.target, precision=file.precision, runtime=play.runtime,
                picture=images.read(folder / "picture.png"), expected=images.read(folder / "expected.png"),
                min_psnr=file.min_psnr, threads=play.threads, accelerator=play.accelerator or None,
            )
        )  # fmt: skip
    return measure(cases, settings, device=open_device(place_of(play.device))).to_json()


def place_of(device: str) -> str:
    """Where a device is, as the machine sees it that holds it: ``NAME=PLACE``, a place alone, or a name for itself.

    Example:
        >>> place_of("pi5=ssh://pi@10.0.0.5"), place_of("ssh://pi@10.0.0.5"), place_of("pi5")
        ('ssh://pi@10.0.0.5', 'ssh://pi@10.0.0.5', 'local')
    """
    name, _, place = device.partition("=")
    return place or (name if ":" in name else "local")


def p95_of(document: Document) -> list[float]:
    """The 95th percentile of each case of a document, in ms.

    Raises:
        InputError: A case failed or was not timed; the message says why.
    """
    from pocketlens.bench import statistics

    times = []
    for result in document.results:
        reason = result.failure or result.skipped or ("" if result.blocks else "no frame was timed")
        if reason:
            raise InputError(f"{document.environment.device}: {result.label}: {reason}", do="look at the device")
        times.append(statistics.percentile(statistics.frames(result.blocks), 95))
    return times


def _teacher(job: Job) -> Source:
    return recipe_source(job.recipe.filter, job.base)


def _made(job: Job, student: Source, against_teacher: bool) -> MadeFile:
    recipe, base = job.recipe, job.base
    judged = recipe.model_copy(update={"filter": job.inputs.recipe.filter})
    key = stage_key(
        student=student.key, inputs=job.inputs.key, shown=judged.filter.sizes[0], teacher=against_teacher,
        recipe=recipe.model_dump(mode="json", exclude={"compress"}),
    )  # fmt: skip

    def make(folder: Path) -> None:
        evaluation = evaluations_of(recipe, base, student)[0]
        compiled = compile_sizes(
            [evaluation], recipe.targets.chosen(), silent, rewrites=recipe.rewrites.keep, quantize=recipe.quantize,
            chips=recipe.chips.choice(),
        )[0]  # fmt: skip
        artifact = compiled.artifacts[0]
        (folder / "artifact").mkdir()
        for path in files.artifact_files(artifact.path):
            files.copy(path, folder / "artifact" / path.name)
        images.write(folder / "picture.png", evaluation.eval_set.pictures[0])
        images.write(folder / "expected.png", to_uint8(evaluation.teacher_outputs[0]))
        against = evaluations_of(judged, base, _teacher(job))[0] if against_teacher else evaluation
        facts = _scored(against, artifact, folder)
        (folder / "file.json").write_text(json.dumps(facts, default=asdict))

    entry = files.cached(FILE, key, make)
    facts: dict[str, Any] = json.loads((entry / "file.json").read_text())
    return MadeFile(**{**facts, "entry": f"{FILE}/{key}", "scores": Scores(**facts["scores"])})


def _scored(against: Evaluation, artifact: VerifiedArtifact, folder: Path) -> dict[str, Any]:
    """Play a file on the pictures of another evaluation, scaled to its size and back, and keep the worst one."""
    (height, width), spec = against.size, artifact.spec
    outputs = []
    with open_artifact(artifact.path) as session:
        for picture in against.eval_set.pictures:
            shown = images.resize(picture, *spec.size)
            outputs.append(images.resize(to_uint8(session.floats(shown)), height, width).astype("float32"))
    scores, worst, _ = score(outputs, against.teacher_outputs)
    index = min(range(len(scores)), key=lambda i: scores[i].ssim)
    images.write(folder / "worst.png", to_uint8(outputs[index]))
    images.write(folder / "teacher.png", to_uint8(against.teacher_outputs[index]))
    images.write(folder / "photograph.png", against.eval_set.pictures[index])
    return {
        "id": spec.id, "target": spec.target, "precision": spec.precision, "scores": worst,
        "bytes": files.artifact_bytes(artifact.path), "flicker": artifact.verification.flicker,
        "worst": against.eval_set.names[index], "min_psnr": artifact.verification.golden_psnr,
    }  # fmt: skip
