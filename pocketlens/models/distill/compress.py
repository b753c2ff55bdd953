"""A recipe's ``[compress]``: prune a copy of the teacher or take a pocket generator, and distill the teacher into it."""

import copy
import json
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
from pocketlens.models.distill.answers import Answers, Questions, ask
from pocketlens.models.distill.aware import aware, fix, observed, plain
from pocketlens.models.distill.aware import ranges as ranges_of
from pocketlens.models.distill.hints import at_a_quarter, of_own_layers
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
    if source.styles:
        raise InputError(
            f"{source.name} is a style pack, which is neither pruned nor distilled", do="leave [compress] out"
        )
    schedule = Schedule(
        steps=settings.steps, seed=settings.seed, threads=threads, judge_every=every(settings.steps),
        save_every=every(settings.steps),
    )  # fmt: skip
    random = begin(schedule)
    questions = Questions(_sizes(source, size, settings.pictures), settings.seed)
    answers = ask(lambda: master_of(source), _key(source), questions, pictures, notify)
    module = None if source.kind == "onnx" else source.load()
    if settings.channels or settings.macs:
        if module is None:
            raise InputError(
                "an ONNX file cannot be pruned, only distilled", do="leave channels and macs out of [compress]"
            )
        low, high = source.ranges.taken
        shown = [
            torch.from_numpy(answers[0].taken[i : i + 1]).float()
            for i in range(_IMPORTANT)
            if i < len(answers[0].taken)
        ]
        scaled = [picture * ((high - low) / 255) + low for picture in shown]
        share = settings.channels or share_within(
            module, settings.macs or 1.0, scaled[-1], size=size, multiple=settings.multiple
        )
        pruned = prune(module, share, scaled, size=size, multiple=settings.multiple)
        reconstruct(module, pruned.module, pruned.kept, scaled, settings.seed)
        student, ranges = pruned.module, source.ranges
        how, layers = _how(source, module), tuple(explanation(pruned))
        hints = of_own_layers(module, pruned.kept, answers, source.ranges, _key(source), notify)
    else:
        whole = sees_whole(module) if settings.whole is None else settings.whole
        arguments = {
            "channels": settings.width, "blocks": settings.blocks, "half": settings.half, "whole": int(whole),
            "repaint": int(whole),
        }  # fmt: skip
        student, ranges = fresh(**arguments), Ranges()
        how, layers = made.Made("pocket", arguments), ()
        hints = at_a_quarter(student, answers)
    task = Distillation(
        student, answers, judge_of(judges, references, ranges, folder), Weights(adversarial=settings.adversarial),
        peak=settings.rate, ranges=ranges, pixels=settings.batch * size[0] * size[1], hints=hints,
    )  # fmt: skip
    # Without the length: a training goes on where it was when its steps become more or fewer.
    key = files.key_of(
        source=_key(source),
        settings=settings.model_dump(mode="json", exclude={"steps", "int8_steps"}),
        size=size,
        threads=threads,
        bfloat16=task.bfloat16,
        torch=torch.__version__,
    )
    result = run(task, schedule, random, folder, key, notify)
    history, seconds, finished = result.history, result.seconds, result.student
    if settings.int8_steps:
        rounding = _aware(finished, task, answers)
        later = replace(schedule, steps=settings.int8_steps, judge_every=every(settings.int8_steps))
        same = replace(task, student=rounding, peak=_AWARE * task.peak, hints=(), bfloat16=False)
        last = run(same, later, random, folder / "int8", files.key_of(of=key, steps=settings.steps), notify)
        finished, how = plain(last.student), replace(how, ranges=ranges_of(last.student))
        history += tuple({**one, "step": one["step"] + settings.steps, "int8": 1.0} for one in last.history)
        seconds += last.seconds
    path = folder / "student.safetensors"
    made.save(finished, path, how)
    before = None if module is None else count(copy.deepcopy(module).to("meta"), *size)
    after = count(copy.deepcopy(finished).to("meta"), *size)
    done = Compressed(path, how.architecture, before, after, layers, history, seconds)
    facts = {name: value for name, value in asdict(done).items() if name != "path"}
    files.write(folder / "student.json", json.dumps(facts, indent=2))
    return done


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


def _sizes(source: Source, size: tuple[int, int], pictures: int) -> tuple[tuple[int, int], ...]:
    """The sides of training pictures, and how many have them: mixed, unless the teacher takes one size only."""
    step = 32 if 32 % source.multiple == 0 else source.multiple
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
    shares = [(max(step, round(side * part / step) * step), max(4, round(pictures * of))) for part, of in _SHARES]
    return tuple(dict(shares).items())


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


def _how(source: Source, module: nn.Module) -> made.Made:
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
