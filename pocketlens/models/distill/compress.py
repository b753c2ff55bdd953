"""A recipe's ``[compress]``: prune a copy of the teacher or take a pocket generator, and distill the teacher into
it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from pocketlens import files
from pocketlens.errors import InputError
from pocketlens.images import Floats, Picture
from pocketlens.models.checkpoint_metadata import save_checkpoint
from pocketlens.models.costs import Costs, module_costs
from pocketlens.models.distill.dataset import DatasetSpec, DistillationDataset, dataset_key, digest, record_teacher
from pocketlens.models.distill.distillation import Distillation, LossWeights
from pocketlens.models.distill.feature_teacher import feature_teacher, fixed_size, teacher_key
from pocketlens.models.distill.initial_student import MULTIPLE, check_source, new_pocket, pruned_copy
from pocketlens.models.distill.qat import freeze_range, observe_ranges, prepare_qat, remove_qat, trained_ranges
from pocketlens.models.distill.scoring import teacher_scorer
from pocketlens.models.source import Source
from pocketlens.models.training.loop import Schedule, device, run_training, scoring_interval, seed_everything
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Compress

_SHARES = ((1.0, 0.5), (0.75, 0.3), (0.5, 0.2))
"""The sizes of training pictures, as shares of the recipe's, and how many of the pictures have them."""
_OBSERVED = 8
"""Pictures that the ranges of int8 start from."""
_QAT_RATE = 0.03
"""The highest learning rate of the quantization-aware phase, as a share of the first phase's."""


@dataclass(frozen=True)
class Compressed:
    """A student and how it came about.

    Attributes:
        path: Its checkpoint.
        architecture: Its architecture.
        before: Costs of the teacher; None for an ONNX teacher.
        after: Costs of the student.
        layers: What pruning took, in words.
        history: Scores on the evaluation pictures while it was trained.
        seconds: Processor time of the training.
    """

    path: Path
    architecture: str
    before: Costs | None
    after: Costs
    layers: tuple[str, ...]
    history: tuple[dict[str, float], ...]
    seconds: float


def compress(
    source: Source, settings: Compress, size: tuple[int, int], eval_pictures: Sequence[Picture],
    teacher_outputs: Sequence[Floats], pictures: Path | None, folder: Path, *, threads: int = 2,
    pause: int | None = None, notify: Progress = silent,
) -> Compressed:  # fmt: skip
    """Make a student of a source and write it into a folder; a run that was interrupted there is continued.

    Args:
        source: The teacher.
        settings: The recipe's table.
        size: Height and width in pixels that the student is for.
        eval_pictures: Pictures that training never sees.
        teacher_outputs: The teacher's output for each of them.
        pictures: A folder of pictures to train on; None for those that ship.
        folder: Gets ``student.safetensors``, previews, and the state of the training.
        threads: Of torch.
        pause: Steps of the distillation after which it is left for later; None to go on to the end.
        notify: Told about progress and the newest score.

    Raises:
        TrainingPaused: The training came to ``pause``.
        InputError: The source cannot be pruned or run, or the folder cannot be written to.
        MissingError: torch-pruning is not installed.
    """
    beside = source.signature
    if beside.states or beside.second or beside.alpha:
        raise InputError(
            f"{source.name} has states, a second picture or alpha; a student would not", do="leave out [compress]"
        )
    prunes = settings.channels is not None or settings.macs is not None
    check_source(source, size, prunes)
    interval = scoring_interval(settings.steps)
    schedule = Schedule(
        steps=settings.steps, seed=settings.seed, threads=threads, score_every=interval, save_every=interval,
        pause=pause,
    )  # fmt: skip
    random = seed_everything(schedule)
    datasets, _ = recorded_teacher(source, settings, size, pictures, notify)
    torch.manual_seed(settings.seed)  # running a teacher may have drawn numbers; outputs from the cache did not
    initial = (pruned_copy if prunes else new_pocket)(source, settings, size, datasets, notify)
    task = Distillation(
        initial.student, datasets, teacher_scorer(eval_pictures, teacher_outputs, initial.ranges, folder),
        LossWeights(adversarial=settings.adversarial), peak=settings.rate, ranges=initial.ranges,
        pixels=settings.batch * size[0] * size[1], hints=initial.hints,
    )  # fmt: skip
    key = files.key_of(
        source=teacher_key(source),
        settings=settings.key("steps", "int8_steps"),
        size=size,
        answers=digest(datasets),
    )
    result = run_training(task, schedule, random, folder, key, notify)
    student, metadata, history, seconds = result.student, initial.metadata, result.history, result.seconds
    if settings.int8_steps:
        place = folder / f"int8-after-{settings.steps}"
        qat_task = replace(
            task, student=_prepared(student, task, datasets), peak=_QAT_RATE * task.peak, hints=(), use_bf16=False,
            score=teacher_scorer(eval_pictures, teacher_outputs, initial.ranges, place),
        )  # fmt: skip
        interval = scoring_interval(settings.int8_steps)
        qat_schedule = replace(schedule, steps=settings.int8_steps, pause=None, score_every=interval)
        qat_key = files.key_of(of=key, steps=settings.steps)
        qat_result = run_training(qat_task, qat_schedule, random, place, qat_key, notify)
        student = remove_qat(qat_result.student)
        metadata = replace(metadata, ranges=trained_ranges(qat_result.student))
        history += _after(history, settings.steps, qat_result.history)
        seconds += qat_result.seconds
    path = folder / "student.safetensors"
    save_checkpoint(student, path, metadata)
    compressed = Compressed(
        path, metadata.architecture, initial.teacher_costs, module_costs(student, size), initial.layers, history,
        seconds,
    )  # fmt: skip
    summary = {name: value for name, value in asdict(compressed).items() if name != "path"}
    files.write(folder / "student.json", json.dumps(summary, indent=2))
    return compressed


def recorded_teacher(
    source: Source, settings: Compress, size: tuple[int, int], pictures: Path | None, notify: Progress = silent
) -> tuple[list[DistillationDataset], str]:
    """What the teacher gives for the training pictures, recorded where the cache has it not; and its key there.

    Args:
        source: The teacher.
        settings: The recipe's table.
        size: Height and width in pixels that the student is for.
        pictures: A folder of pictures to train on; None for those that ship.
        notify: Told about progress.
    """
    spec, key = DatasetSpec(picture_sizes(source, size, settings.pictures), settings.seed), teacher_key(source)
    datasets = record_teacher(lambda: feature_teacher(source), key, spec, pictures, notify)
    return datasets, dataset_key(key, spec, pictures)


def _after(
    history: tuple[dict[str, float], ...], steps: int, qat_history: tuple[dict[str, float], ...]
) -> tuple[dict[str, float], ...]:
    """The scores of the quantization-aware phase, their steps and minutes counted on from the first phase."""
    minutes = history[-1]["minutes"] if history else 0.0
    return tuple(
        {**scores, "step": scores["step"] + steps, "minutes": round(scores["minutes"] + minutes, 2), "int8": 1.0}
        for scores in qat_history
    )


def _prepared(student: nn.Module, task: Distillation, datasets: Sequence[DistillationDataset]) -> nn.Module:
    """A copy of a student that rounds as int8 does, in the ranges of training pictures; the picture's own range is
    fixed.
    """
    (low, high), where = task.ranges.input, device()
    pixels = [torch.from_numpy(picture).float()[None].to(where) for picture in datasets[0].inputs[:_OBSERVED]]
    ranges = observe_ranges(student.to(where).eval(), [picture * ((high - low) / 255) + low for picture in pixels])
    first = next(iter(ranges))
    ranges[first] = (min(low, 0.0), max(high, 0.0))
    prepared = prepare_qat(student, ranges).requires_grad_(True)
    freeze_range(prepared, first)
    return prepared


def picture_sizes(source: Source, size: tuple[int, int], pictures: int) -> tuple[tuple[int, int], ...]:
    """The sides of training pictures, and how many have them: mixed, unless the teacher accepts one size only."""
    step = 32 if 32 % source.multiple == 0 else math.lcm(source.multiple, MULTIPLE)
    if source.is_foreign:
        assert source.path is not None
        fixed = fixed_size(source.path)
        if fixed is not None and (fixed[0] != fixed[1] or fixed[0] % MULTIPLE):
            raise InputError(
                f"{source.path} accepts {fixed[0]} x {fixed[1]} only, and students are trained on squares of multiples "
                f"of {MULTIPLE}",
                do="export it with free height and width",
            )
        if fixed is not None:
            return ((fixed[0], pictures),)
    side = max(step, min(size) // step * step)
    counts: dict[int, int] = {}
    for share, part in _SHARES:
        edge = max(step, round(side * share / step) * step)
        counts[edge] = counts.get(edge, 0) + max(4, round(pictures * part))
    return tuple(counts.items())
