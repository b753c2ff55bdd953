"""A recipe's ``[compress]``: prune a copy of the teacher or take a pocket generator, and distill the teacher into it."""

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
from pocketlens.models import made
from pocketlens.models.distill.answers import Answers, Questions, ask, digest
from pocketlens.models.distill.aware import aware, fix, observed, plain
from pocketlens.models.distill.aware import ranges as ranges_of
from pocketlens.models.distill.judging import judge_of
from pocketlens.models.distill.master import fixed_size, master_of, teacher_key
from pocketlens.models.distill.student import MULTIPLE, check, pocket, pruned_copy
from pocketlens.models.distill.task import Distillation, Weights
from pocketlens.models.figures import Figures, costs
from pocketlens.models.source import Source
from pocketlens.models.training.run import Notify, Schedule, begin, device, every, run
from pocketlens.recipe import Compress

_SHARES = ((1.0, 0.5), (0.75, 0.3), (0.5, 0.2))
"""The sizes of training pictures, as shares of the recipe's, and how many of the pictures have them."""
_OBSERVED = 8
"""Pictures that the ranges of int8 start from."""
_AWARE = 0.03
"""The highest learning rate of the last phase, as a share of the first one's."""


@dataclass(frozen=True)
class Compressed:
    """A student and how it came about.

    Attributes:
        path: Its checkpoint.
        architecture: Its architecture.
        before: Costs of the teacher; None for an ONNX teacher.
        after: Costs of the student.
        layers: What pruning took, in words.
        history: Scores on the judge pictures on the way.
        seconds: Processor time of the training.
    """

    path: Path
    architecture: str
    before: Figures | None
    after: Figures
    layers: tuple[str, ...]
    history: tuple[dict[str, float], ...]
    seconds: float


def compress(
    source: Source, settings: Compress, size: tuple[int, int], judges: Sequence[Picture], references: Sequence[Floats],
    pictures: Path | None, folder: Path, *, threads: int = 2, notify: Notify = lambda what, done, total: None,
) -> Compressed:  # fmt: skip
    """Make a student of a source and write it into a folder, resuming there what was interrupted.

    Args:
        source: The teacher.
        settings: The recipe's table.
        size: Height and width in pixels that the student is for.
        judges: Pictures that training never sees.
        references: The teacher's, for each of them.
        pictures: A folder of pictures to train on; None for those that ship.
        folder: Gets ``student.safetensors``, previews, and the state of the training.
        threads: Of torch.
        notify: Told about progress and the newest score.

    Raises:
        InputError: The source cannot be pruned or played, or the folder cannot be written to.
        MissingError: torch-pruning is not installed.
    """
    prunes = settings.channels is not None or settings.macs is not None
    check(source, size, prunes)
    schedule = Schedule(
        steps=settings.steps, seed=settings.seed, threads=threads, judge_every=every(settings.steps),
        save_every=every(settings.steps),
    )  # fmt: skip
    random = begin(schedule)
    questions = Questions(sizes_of(source, size, settings.pictures), settings.seed)
    answers = ask(lambda: master_of(source), teacher_key(source), questions, pictures, notify)
    torch.manual_seed(settings.seed)  # asking a teacher may have drawn; answers from the cache did not
    begun = (pruned_copy if prunes else pocket)(source, settings, size, answers, notify)
    task = Distillation(
        begun.student, answers, judge_of(judges, references, begun.ranges, folder),
        Weights(adversarial=settings.adversarial), peak=settings.rate, ranges=begun.ranges,
        pixels=settings.batch * size[0] * size[1], hints=begun.hints,
    )  # fmt: skip
    key = files.key_of(
        source=teacher_key(source),
        settings=settings.key("steps", "int8_steps"),
        size=size,
        answers=digest(answers),
    )
    result = run(task, schedule, random, folder, key, notify)
    history, seconds, finished, how = result.history, result.seconds, result.student, begun.how
    if settings.int8_steps:
        place = folder / f"int8-after-{settings.steps}"
        same = replace(
            task, student=_aware(finished, task, answers), peak=_AWARE * task.peak, hints=(), bfloat16=False,
            judge=judge_of(judges, references, begun.ranges, place),
        )  # fmt: skip
        later = replace(schedule, steps=settings.int8_steps, judge_every=every(settings.int8_steps))
        last = run(same, later, random, place, files.key_of(of=key, steps=settings.steps), notify)
        finished, how = plain(last.student), replace(how, ranges=ranges_of(last.student))
        spent = history[-1]["minutes"] if history else 0.0
        history += tuple(
            {**one, "step": one["step"] + settings.steps, "minutes": round(one["minutes"] + spent, 2), "int8": 1.0}
            for one in last.history
        )
        seconds += last.seconds
    path = folder / "student.safetensors"
    made.save(finished, path, how)
    after = costs(finished, size)
    done = Compressed(path, how.architecture, begun.before, after, begun.layers, history, seconds)
    facts = {name: value for name, value in asdict(done).items() if name != "path"}
    files.write(folder / "student.json", json.dumps(facts, indent=2))
    return done


def _aware(student: nn.Module, task: Distillation, answers: Sequence[Answers]) -> nn.Module:
    """A copy of a student that rounds as int8 does, in the ranges of training pictures; that of the picture itself stays."""
    (low, high), where = task.ranges.taken, device()
    shown = [torch.from_numpy(one).float()[None].to(where) for one in answers[0].taken[:_OBSERVED]]
    spans = observed(student.to(where).eval(), [picture * ((high - low) / 255) + low for picture in shown])
    first = next(iter(spans))
    spans[first] = (min(low, 0.0), max(high, 0.0))
    rounding = aware(student, spans).requires_grad_(True)
    fix(rounding, first)
    return rounding


def sizes_of(source: Source, size: tuple[int, int], pictures: int) -> tuple[tuple[int, int], ...]:
    """The sides of training pictures, and how many have them: mixed, unless the teacher takes one size only."""
    step = 32 if 32 % source.multiple == 0 else math.lcm(source.multiple, MULTIPLE)
    if source.kind == "onnx":
        assert source.path is not None
        fixed = fixed_size(source.path)
        if fixed is not None and (fixed[0] != fixed[1] or fixed[0] % MULTIPLE):
            raise InputError(
                f"{source.path} takes {fixed[0]} x {fixed[1]} only, and students are trained on squares of multiples of "
                f"{MULTIPLE}",
                do="export it with free height and width",
            )
        if fixed is not None:
            return ((fixed[0], pictures),)
    side = max(step, min(size) // step * step)
    counts: dict[int, int] = {}
    for part, of in _SHARES:
        edge = max(step, round(side * part / step) * step)
        counts[edge] = counts.get(edge, 0) + max(4, round(pictures * of))
    return tuple(counts.items())
