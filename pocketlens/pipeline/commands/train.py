"""``train``: a filter from what people have: an effect, pairs of pictures, two folders, or one style picture."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from pocketlens import files, images
from pocketlens.errors import InputError, require
from pocketlens.images import Picture
from pocketlens.pipeline.eval_set import digest_of, read_eval_set
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Filter, Recipe, Targets
from pocketlens.site import page

if TYPE_CHECKING:
    from torch import nn

    from pocketlens.models.training.run import Trained

_ARGUMENTS = {"channels": 48, "blocks": 4, "half": 24}
_STYLE = (
    "a style needs features that were learned from photographs. Random filters at four scales were tried in their place: they "
    "move colours and grain, and the picture does not look like the style"
)
_VGG = (
    "give --vgg vgg16-397923af.pth, torchvision's weights (528 MB), or an effect of your own with --effect;"
    f" {page('training')} shows what a style without such features looks like"
)


@dataclass(frozen=True)
class Wish:
    """What to train from; exactly one of the four.

    Attributes:
        effect: ``module:function`` or ``file.py:function``, from ``uint8 [H, W, 3]`` to the same. It is run.
        pairs: Folders before and after; the pictures of a pair have the same name.
        folders: Folders of pictures that do not belong together: from the first kind to the second.
        style: One picture whose look is wanted, with the weights file of VGG-16.
        pictures: What the effect is learned on, and styles are put on; the photographs that ship if left out.
    """

    effect: str = ""
    pairs: tuple[Path, Path] | None = None
    folders: tuple[Path, Path] | None = None
    style: tuple[Path, Path | None] | None = None
    pictures: Path | None = None


@dataclass(frozen=True)
class Filtered:
    """What a training wrote.

    Attributes:
        recipe: Builds the filter.
        history: The scores on the way.
        seconds: Processor time.
        alone: Pictures of pairs that were left out, because the other folder has none of their name.
    """

    recipe: Path
    history: tuple[dict[str, float], ...]
    seconds: float
    alone: int = 0


def train(
    wish: Wish, output: Path, *, name: str = "filter", size: int = 256, steps: int = 2000, seed: int = 7, threads: int = 2,
    notify: Progress = silent,
) -> Filtered:  # fmt: skip
    """Train a filter and write it, with a recipe for ``build``, into a folder; goes on there if it was interrupted.

    Args:
        wish: What to train from.
        output: Gets ``student.safetensors``, ``recipe.toml``, ``previews`` and the state of the training.
        name: What the filter is called.
        size: Height and width in pixels that it is for, a multiple of 32.
        steps: Weight updates.
        seed: Of everything random.
        threads: Of torch.
        notify: Told about progress.

    Raises:
        InputError: The wish cannot be trained from; the message says what is missing.
    """
    require("torch", "build")
    if sum(map(bool, (wish.effect, wish.pairs, wish.folders, wish.style))) != 1:
        raise InputError(
            "a filter is trained from one thing", do="give one of --effect, --pairs, --folders and --style-image"
        )
    if size % 32 or not 64 <= size <= 1024:
        raise InputError(f"size is {size}, expected a multiple of 32 from 64 to 1024", do="256 suits most phones")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file", do="choose another output folder")
    try:
        about = Filter(name=name, source="student.safetensors", architecture="pocket", sizes=((size, size),))
    except ValidationError as error:
        raise InputError(
            f"the name {name!r} is wrong: {error.errors()[0]['msg']}", do="for instance my-filter"
        ) from error
    recipe = Recipe(
        filter=about, targets=Targets(onnx=("fp16",), openvino=("fp16",), tflite=("fp16",), coreml=("fp16",))
    )
    from pocketlens.models import made
    from pocketlens.models.training import pairs

    alone = pairs.alone(*wish.pairs) if wish.pairs else 0
    done = _train(wish, output, size, steps, seed, threads, notify)

    made.save(done.student, output / "student.safetensors", made.Made("pocket", _ARGUMENTS))
    files.write(output / "history.json", json.dumps(done.history, indent=2))
    files.write(output / "recipe.toml", recipe.text())
    return Filtered(output / "recipe.toml", done.history, done.seconds, alone)


def _train(wish: Wish, output: Path, size: int, steps: int, seed: int, threads: int, notify: Progress) -> "Trained":
    import torch

    from pocketlens.converters.ranges import Ranges
    from pocketlens.models.distill.answers import digest
    from pocketlens.models.distill.judging import judge_of
    from pocketlens.models.distill.task import Distillation, Weights
    from pocketlens.models.training import pictures
    from pocketlens.models.training.run import Schedule, Task, begin, every, run
    from pocketlens.models.training.start import fresh

    schedule = Schedule(steps=steps, seed=seed, threads=threads, judge_every=every(steps), save_every=every(steps))
    random = begin(schedule)
    shown, drawn = read_eval_set(None, size, size).pictures, ""
    task: Task
    if wish.effect or wish.pairs:
        answers, before, after = _examples(wish, size, seed, notify)
        drawn = digest(answers)
        torch.manual_seed(seed)  # an effect may have drawn; its answers from the cache did not
        weights = Weights(adversarial=0.005, features=0)
        task = Distillation(
            fresh(**_ARGUMENTS), answers, judge_of(before, after, Ranges(), output), weights, peak=3e-3,
            pixels=9 * size**2 // 4,
        )  # fmt: skip
    elif wish.folders:
        from pocketlens.models.training.unpaired import Unpaired

        first, second = (pictures.read(folder) for folder in wish.folders)
        score = _previews(shown, output)
        task = Unpaired(fresh(**_ARGUMENTS), fresh(**_ARGUMENTS), first, second, score, side=min(128, size))
    else:
        from pocketlens.models.training.style import Styling
        from pocketlens.models.training.vgg import load

        assert wish.style is not None
        picture, vgg = wish.style
        painting = images.read(picture)
        if vgg is None:
            raise InputError(_STYLE, do=_VGG)
        score = _previews(shown, output)
        task = Styling(
            fresh(**_ARGUMENTS), load(vgg), painting, pictures.read(wish.pictures), score, side=min(192, size)
        )
    # An effect's and pairs' answers say what is learned; of folders and a style, their files do.
    folders = [
        [files.sha256(path) for path in images.folder(folder)]
        for folder in (*(wish.folders or ()), wish.pictures)
        if folder
    ]
    style = [files.sha256(path) for path in wish.style or () if path]
    key = files.key_of(folders=folders, style=style, drawn=drawn, size=size)
    return run(task, schedule, random, output, key, notify)


def _examples(wish: Wish, size: int, seed: int, notify: Progress):  # type: ignore[no-untyped-def]
    """Answers to learn from, and pictures that judge with what they should become."""
    from pocketlens.models.distill.answers import Questions, ask
    from pocketlens.models.distill.master import function_master
    from pocketlens.models.factory import function
    from pocketlens.models.training import pairs

    if wish.pairs:
        found = pairs.read(*wish.pairs)
        held = max(1, len(found) // 10) if len(found) > 1 else 0
        random = np.random.default_rng(seed)
        answers = [pairs.answers(found[: len(found) - held], side, 160, random) for side in (size, size // 2)]
        judging = [[images.fill(picture, size, size) for picture in pair] for pair in found[-held:]]
        return answers, [one for one, _ in judging], [other.astype(np.float32) for _, other in judging]
    effect = _checked(function(wish.effect, Path()), wish.effect)
    judged = read_eval_set(None, size, size).pictures
    wanted = [effect(picture) for picture in judged]
    where = Path(wish.effect.rpartition(":")[0])
    # Of code only the file itself can be hashed; what the effect draws tells the rest.
    drawn = files.key_of(
        name=wish.effect, code=files.sha256(where) if where.is_file() else "",
        drawn=digest_of(*wanted),
    )  # fmt: skip
    questions = Questions(((size, 200), (size // 2, 120)), seed)
    answers = ask(lambda: function_master(effect), drawn, questions, wish.pictures, notify)
    return answers, judged, [picture.astype(np.float32) for picture in wanted]


def _checked(effect: Callable[[Picture], Picture], name: str) -> Callable[[Picture], Picture]:
    def draw(picture: Picture) -> Picture:
        try:
            given = np.asarray(effect(picture.copy()))
            drawn = given.astype(np.float32)
        except Exception as error:
            raise InputError(f"{name} raised {type(error).__name__}: {error}", do="run it alone and mend it") from error
        if given.shape != picture.shape:
            raise InputError(
                f"{name} gave {list(given.shape)} for {list(picture.shape)}",
                do="return a picture of the same size, 0..255",
            )
        if not np.isfinite(drawn).all() or (given.dtype.kind in "fb" and drawn.max() <= 1 < picture.mean()):
            raise InputError(
                f"{name} gave {given.dtype} of {drawn.min():g} to {drawn.max():g}", do="return a picture of 0..255"
            )
        return images.to_uint8(drawn)

    return draw


def _previews(shown: Sequence[Picture], folder: Path) -> "Callable[[nn.Module, int], dict[str, float]]":
    """Where nothing says what is right: a preview at every score, and how much of the person is kept."""
    from pocketlens.converters.ranges import Ranges
    from pocketlens.likeness import likeness
    from pocketlens.models.teacher import torch_teacher

    def look(student: "nn.Module", step: int) -> dict[str, float]:
        rows, kept, moved = [], [], []
        for picture in shown:
            drawn = images.to_uint8(torch_teacher(student, Ranges())(picture))
            rows.append(np.concatenate([picture, drawn], 1))
            moved.append(float(np.abs(drawn.astype(float) - picture).mean()))
            if found := likeness(picture, drawn):
                kept.append(found.structure)
        images.write(folder / "previews" / f"{step:06d}.png", np.concatenate(rows, 0))
        return {"moved": round(float(np.mean(moved)), 2)} | (
            {"likeness": round(float(np.mean(kept)), 4)} if kept else {}
        )

    return look
