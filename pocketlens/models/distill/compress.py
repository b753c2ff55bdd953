"""A recipe's ``[compress]``: prune a copy of the teacher or take a pocket generator, and distill the teacher into it."""

import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pocketlens import files, images, quality
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.images import Floats, Picture
from pocketlens.likeness import Likeness, likeness
from pocketlens.models import made
from pocketlens.models.distill.answers import Answers, Questions, ask, digest
from pocketlens.models.distill.aware import aware, fix, observed, plain
from pocketlens.models.distill.aware import ranges as ranges_of
from pocketlens.models.distill.hints import Hint, at_a_quarter, of_own_layers
from pocketlens.models.distill.master import Master, fixed_size, onnx_master, torch_master
from pocketlens.models.distill.task import Distillation, Weights, play
from pocketlens.models.figures import Figures, count
from pocketlens.models.pruning.prune import explanation, prune, share_within
from pocketlens.models.pruning.reconstruct import reconstruct
from pocketlens.models.source import Source
from pocketlens.models.training.run import Notify, Schedule, begin, device, run
from pocketlens.models.training.start import fresh
from pocketlens.recipe import Compress

_SHARES = ((1.0, 0.5), (0.75, 0.3), (0.5, 0.2))
"""The sizes of training pictures, as shares of the recipe's, and how many of the pictures have them."""
_IMPORTANT = 6
"""Pictures that pruning measures importance on."""
_OBSERVED = 8
"""Pictures that the ranges of int8 start from."""
_AWARE = 0.03
"""The highest learning rate of the last phase, as a share of the first one's."""
_MULTIPLE = 4
"""Sides that a pocket generator takes are multiples of this."""
_STATE = "training.safetensors"


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
    _check(source, size, prunes)
    schedule = Schedule(
        steps=settings.steps, seed=settings.seed, threads=threads, judge_every=every(settings.steps),
        save_every=every(settings.steps),
    )  # fmt: skip
    random = begin(schedule)
    questions = Questions(sizes_of(source, size, settings.pictures), settings.seed)
    answers = ask(lambda: master_of(source), _key(source), questions, pictures, notify)
    torch.manual_seed(settings.seed)  # asking a teacher may have drawn; answers from the cache did not
    begun = (_copy if prunes else _pocket)(source, settings, size, answers, notify)
    task = Distillation(
        begun.student, answers, judge_of(judges, references, begun.ranges, folder),
        Weights(adversarial=settings.adversarial), peak=settings.rate, ranges=begun.ranges,
        pixels=settings.batch * size[0] * size[1], hints=begun.hints,
    )  # fmt: skip
    key = files.key_of(
        source=_key(source),
        settings=settings.model_dump(mode="json", exclude={"steps", "int8_steps"}),
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
    module = _module(source)
    before = None if module is None else count(copy.deepcopy(module).to("meta"), *size)
    after = count(copy.deepcopy(finished).to("meta"), *size)
    done = Compressed(path, how.architecture, before, after, begun.layers, history, seconds)
    facts = {name: value for name, value in asdict(done).items() if name != "path"}
    files.write(folder / "student.json", json.dumps(facts, indent=2))
    return done


@dataclass(frozen=True)
class _Begun:
    """A student before it is trained: what it takes and gives, how it is made, what it lost, what its layers are held to."""

    student: nn.Module
    ranges: Ranges
    how: made.Made
    layers: tuple[str, ...]
    hints: list[Hint]


def _check(source: Source, size: tuple[int, int], prunes: bool) -> None:
    """Refuse what cannot be, before a teacher is asked for minutes."""
    if source.styles:
        raise InputError(
            f"{source.name} is a style pack, which is neither pruned nor distilled", do="leave [compress] out"
        )
    if prunes and source.kind == "onnx":
        raise InputError(
            "an ONNX file cannot be pruned, only distilled", do="leave channels and macs out of [compress]"
        )
    if prunes:
        _how(source)
    elif any(edge % _MULTIPLE for edge in size):
        raise InputError(
            f"a pocket student takes multiples of {_MULTIPLE}, and is to be for {size[0]} x {size[1]}",
            do="change sizes in the recipe",
        )


def _module(source: Source) -> nn.Module | None:
    return None if source.kind == "onnx" else source.load()


def _copy(source: Source, settings: Compress, size: tuple[int, int], answers: list[Answers], notify: Notify) -> _Begun:
    """A pruned copy of a source, whose layers have the weights that come nearest to their teacher's."""
    module, (low, high), multiple = source.load(), source.ranges.taken, settings.multiple
    shown = [torch.from_numpy(one)[None].float() for one in answers[0].taken[:_IMPORTANT]]
    scaled = [picture * ((high - low) / 255) + low for picture in shown]
    share = settings.channels or share_within(module, settings.macs or 1.0, scaled[-1], size=size, multiple=multiple)
    pruned = prune(module, share, scaled, size=size, multiple=multiple)
    if pruned.after == pruned.before:
        raise InputError(
            f"channels = {share:g} in multiples of {multiple} leaves every layer as it is", do="make multiple smaller"
        )
    reconstruct(module, pruned.module, pruned.kept, scaled, settings.seed)
    hints = of_own_layers(module, pruned.kept, answers, source.ranges, _key(source), notify)
    return _Begun(pruned.module, source.ranges, _how(source), tuple(explanation(pruned)), hints)


def _pocket(
    source: Source, settings: Compress, size: tuple[int, int], answers: list[Answers], notify: Notify
) -> _Begun:
    """A pocket generator that gives grey, or what it takes."""
    whole = sees_whole(_module(source)) if settings.whole is None else settings.whole
    arguments = {
        "channels": settings.width, "blocks": settings.blocks, "half": settings.half, "whole": int(whole),
        "repaint": int(whole),
    }  # fmt: skip
    student = fresh(**arguments)
    return _Begun(student, Ranges(), made.Made("pocket", arguments), (), at_a_quarter(student, answers))


def every(steps: int) -> int:
    """Steps between two scores: four at least, and about a hundred of a long training."""
    return max(1, min(100, steps // 4), steps // 100)


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
    step = 32 if 32 % source.multiple == 0 else math.lcm(source.multiple, _MULTIPLE)
    if source.kind == "onnx":
        assert source.path is not None
        fixed = fixed_size(source.path)
        if fixed is not None and fixed[0] != fixed[1]:
            raise InputError(
                f"{source.path} takes {fixed[0]} x {fixed[1]} only, and students are trained on squares",
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


def master_of(source: Source) -> Master:
    """The source as a teacher that also gives its features."""
    if source.kind == "onnx":
        assert source.path is not None
        return onnx_master(source.path, source.ranges)
    return torch_master(source.load(), source.ranges)


def sees_whole(module: nn.Module | None) -> bool:
    """Whether a generator looks at statistics of the whole picture; assumed of one that cannot be looked into."""
    if module is None:
        return True
    kinds = (nn.InstanceNorm2d, nn.GroupNorm, nn.AdaptiveAvgPool2d)
    names = ("InstanceNorm", "LayerNorm", "GroupNorm")
    return any(isinstance(m, kinds) or any(n in type(m).__name__ for n in names) for m in module.modules())


def judge_of(
    judges: Sequence[Picture], references: Sequence[Floats], ranges: Ranges, folder: Path | None
) -> Callable[[nn.Module, int], dict[str, float]]:
    """What scores a student on judge pictures against the teacher's, and writes a preview of the first beside it."""

    def judge(student: nn.Module, step: int) -> dict[str, float]:
        where, scores, likes = device(), [], list[Likeness]()
        for index, (picture, wanted) in enumerate(zip(judges, references, strict=True)):
            with torch.no_grad():
                planar = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32)).to(where)
                found = 255 * play(student, planar, ranges)[0].cpu().numpy().transpose(1, 2, 0)
            drawn = images.to_uint8(found)
            scores.append(quality.compare(wanted, drawn))
            if kept := likeness(picture, drawn):
                likes.append(kept)
            if index == 0 and folder is not None:
                beside = np.concatenate([picture, images.to_uint8(wanted), drawn], 1)
                images.write(folder / "previews" / f"{step:06d}.png", beside)
        person = (
            {}
            if not likes
            else {
                "faces": float(np.mean([one.found for one in likes])),
                "likeness": round(float(np.mean([one.structure for one in likes])), 4),
            }
        )
        return {
            "ssim": round(float(np.mean([s.ssim for s in scores])), 4),
            "psnr": round(float(np.mean([s.psnr for s in scores])), 2),
            "worst_ssim": round(min(s.ssim for s in scores), 4),
            **person,
        }

    return judge


def _key(source: Source) -> str:
    return files.key_of(source=source.key, ranges=asdict(source.ranges))


def _how(source: Source) -> made.Made:
    """How a pruned copy of a source is made: of the source's architecture, and of the variant that it has."""
    from pocketlens.models import weights, zoo
    from pocketlens.models.fit import closest

    if not source.architecture or source.path is None or source.kind == "hf":
        raise InputError(
            "only checkpoints of known architectures are pruned",
            do="leave channels out of [compress], or prune in Python",
        )
    if own := made.read(source.path):
        return made.Made(own.architecture, own.arguments, pruned=True)
    known = zoo.architecture(source.architecture)
    arguments: dict[str, Any] = dict(closest(weights.read(source.path), known).variant.arguments)
    return made.Made(source.architecture, arguments, pruned=True)
