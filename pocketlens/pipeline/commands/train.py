"""``train``: a filter from an effect, from pairs of pictures, from two folders of pictures, or from one style
picture.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from pocketlens import files, images
from pocketlens.errors import InputError, require
from pocketlens.images import Floats, Picture
from pocketlens.pipeline.commands.train_style import ATTRIBUTION, PAINT_SIDE, Painting, painted_filter
from pocketlens.pipeline.eval_set import digest_of, read_eval_set
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Filter, Recipe, Targets
from pocketlens.recipe.filter import UNSAID

if TYPE_CHECKING:
    from torch import nn

    from pocketlens.models.checkpoint_metadata import CheckpointMetadata
    from pocketlens.models.distill.dataset import DistillationDataset
    from pocketlens.models.training.loop import Scorer, TrainingResult

ARGUMENTS = {"channels": 48, "blocks": 4, "half_res_channels": 24}


@dataclass(frozen=True)
class TrainingSpec:
    """What to train from; exactly one of the first four.

    Attributes:
        effect: ``module:function`` or ``file.py:function``, from ``uint8 [H, W, 3]`` to the same. It is run.
        pairs: Folders before and after; the pictures of a pair have the same name.
        folders: Folders of pictures that are not pairs: the filter translates the first kind into the second.
        style: One picture with the style; Magenta's network has learned what there is to learn.
        vgg: The weights file of VGG-16: the style is learned with its features instead.
        pictures: What an effect or a style is learned on; the photographs that ship if left out.
    """

    effect: str = ""
    pairs: tuple[Path, Path] | None = None
    folders: tuple[Path, Path] | None = None
    style: Painting | None = None
    vgg: Path | None = None
    pictures: Path | None = None


@dataclass(frozen=True)
class TrainedFilter:
    """What a training wrote.

    Attributes:
        recipe: Builds the filter.
        history: The scores while it was trained.
        seconds: Processor time.
        unpaired: Pictures of pairs that were left out, because the other folder has none of their name.
    """

    recipe: Path
    history: tuple[dict[str, float], ...]
    seconds: float
    unpaired: int = 0


def train(
    spec: TrainingSpec, output: Path, *, name: str = "filter", size: int = 256, steps: int = 2000, seed: int = 7,
    threads: int = 2, notify: Progress = silent,
) -> TrainedFilter:  # fmt: skip
    """Train a filter and write it, with a recipe for ``build``, into a folder; a run that was interrupted is continued.

    Args:
        spec: What to train from.
        output: Gets ``student.safetensors``, ``recipe.toml``, ``previews`` and the state of the training.
        name: What the filter is called.
        size: Height and width in pixels that it is for, a multiple of 32.
        steps: Weight updates.
        seed: Of everything random.
        threads: Of torch.
        notify: Told about progress.

    Raises:
        InputError: Nothing can be trained from the specification; the message says what is missing.
    """
    require("torch", "build")
    if sum(map(bool, (spec.effect, spec.pairs, spec.folders, spec.style))) != 1:
        raise InputError(
            "a filter is trained from one thing", do="give one of --effect, --pairs, --folders and --style"
        )
    check_output(output, size)
    recipe = recipe_of(name, size)
    if spec.style and not spec.vgg:
        return _painted(spec, output, recipe, notify)
    from pocketlens.models.checkpoint_metadata import CheckpointMetadata
    from pocketlens.models.distill.pairs import count_unpaired

    unpaired = count_unpaired(*spec.pairs) if spec.pairs else 0
    result = _train(spec, output, size, steps, seed, threads, notify)
    path = write_filter(output, result.student, CheckpointMetadata("pocket", ARGUMENTS), result.history, recipe)
    return TrainedFilter(path, result.history, result.seconds, unpaired)


def write_filter(
    output: Path, module: "nn.Module", metadata: "CheckpointMetadata", history: Sequence[dict[str, float]],
    recipe: Recipe,
) -> Path:  # fmt: skip
    """Write what a training made: the checkpoint, its scores and the recipe, whose path is given back.

    What the recipe says of licence and attribution stays; Magenta is named where its network is the filter.
    """
    from pocketlens.models.checkpoint_metadata import save_checkpoint

    save_checkpoint(module, output / "student.safetensors", metadata)
    files.write(output / "history.json", json.dumps(history, indent=2))
    license, attribution = recipe.filter.license, recipe.filter.attribution
    if metadata.architecture == "painter":
        license = "Apache-2.0" if license == UNSAID else license
        attribution = tuple(dict.fromkeys((ATTRIBUTION, *attribution)))
    about = {"architecture": metadata.architecture, "license": license, "attribution": attribution}
    table = recipe.filter.model_copy(update=about)
    files.write(output / "recipe.toml", recipe.model_copy(update={"filter": table}).text())
    return output / "recipe.toml"


def check_output(output: Path, size: int) -> None:
    """Check where a training writes to, and for which size.

    Raises:
        InputError: The size is none that can be trained, or the output is a file.
    """
    if size % 32 or not 64 <= size <= 1024:
        raise InputError(f"size is {size}, expected a multiple of 32 from 64 to 1024", do="256 suits most phones")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file", do="choose another output folder")


def recipe_of(name: str, size: int) -> Recipe:
    """The recipe that builds what a training writes.

    Raises:
        InputError: The name cannot be a filter's.
    """
    try:
        table = Filter(name=name, source="student.safetensors", architecture="pocket", sizes=((size, size),))
    except ValidationError as error:
        raise InputError(
            f"the name {name!r} is wrong: {error.errors()[0]['msg']}", do="for instance my-filter"
        ) from error
    targets = Targets(onnx=("fp16",), openvino=("fp16",), tflite=("fp16",), coreml=("fp16",))
    return Recipe(filter=table, targets=targets)


def _painted(spec: TrainingSpec, output: Path, recipe: Recipe, notify: Progress) -> TrainedFilter:
    from pocketlens.models.checkpoint_metadata import CheckpointMetadata
    from pocketlens.models.training.pictures import read_pictures

    assert spec.style is not None
    started = time.process_time()
    evaluated = read_eval_set(None, PAINT_SIDE, PAINT_SIDE).pictures
    module, scores = painted_filter(spec.style, read_pictures(spec.pictures), evaluated, notify)
    path = write_filter(output, module, CheckpointMetadata("painter", {}), (scores,), recipe)
    return TrainedFilter(path, (scores,), time.process_time() - started)


def _train(
    spec: TrainingSpec, output: Path, size: int, steps: int, seed: int, threads: int, notify: Progress
) -> "TrainingResult":
    import torch

    from pocketlens.converters.ranges import Ranges
    from pocketlens.models.distill.dataset import digest
    from pocketlens.models.distill.distillation import Distillation, LossWeights
    from pocketlens.models.distill.scoring import teacher_scorer
    from pocketlens.models.training.loop import (
        Schedule,
        TrainingTask,
        run_training,
        scoring_interval,
        seed_everything,
    )
    from pocketlens.models.training.pictures import read_pictures
    from pocketlens.models.training.pocket_init import initial_pocket

    interval = scoring_interval(steps)
    schedule = Schedule(steps=steps, seed=seed, threads=threads, score_every=interval, save_every=interval)
    random = seed_everything(schedule)
    eval_pictures, digest_of_datasets = read_eval_set(None, size, size).pictures, ""
    task: TrainingTask
    if spec.effect or spec.pairs:
        datasets, inputs, targets = _examples(spec, size, seed, notify)
        digest_of_datasets = digest(datasets)
        torch.manual_seed(seed)  # an effect may have drawn numbers; its outputs from the cache did not
        weights = LossWeights(adversarial=0.005, features=0)
        task = Distillation(
            initial_pocket(**ARGUMENTS), datasets, teacher_scorer(inputs, targets, Ranges(), output), weights,
            peak=3e-3, pixels=9 * size**2 // 4,
        )  # fmt: skip
    elif spec.folders:
        from pocketlens.models.training.unpaired import UnpairedTranslation

        first, second = (read_pictures(folder) for folder in spec.folders)
        task = UnpairedTranslation(
            initial_pocket(**ARGUMENTS), initial_pocket(**ARGUMENTS), first, second,
            _preview_scorer(eval_pictures, output), side=min(128, size),
        )  # fmt: skip
    else:
        from pocketlens.models.training.style_transfer import StyleTransfer
        from pocketlens.models.training.vgg import load_vgg

        assert spec.style is not None
        assert spec.vgg is not None
        style_picture = images.read(spec.style.path)
        task = StyleTransfer(
            initial_pocket(**ARGUMENTS), load_vgg(spec.vgg), style_picture, read_pictures(spec.pictures),
            _preview_scorer(eval_pictures, output), side=min(192, size),
        )  # fmt: skip
    # The datasets of an effect and of pairs say what is learned; of folders and a style, their files do.
    folders = [
        [files.sha256(path) for path in images.folder(folder)]
        for folder in (*(spec.folders or ()), spec.pictures)
        if folder
    ]
    style = [files.sha256(path) for path in (spec.style.path if spec.style else None, spec.vgg) if path]
    key = files.key_of(folders=folders, style=style, drawn=digest_of_datasets, size=size)
    return run_training(task, schedule, random, output, key, notify)


def _examples(
    spec: TrainingSpec, size: int, seed: int, notify: Progress
) -> "tuple[list[DistillationDataset], Sequence[Picture], list[Floats]]":
    """Datasets to learn from, and pictures that score the student, with what they should become."""
    from pocketlens.models.distill.dataset import DatasetSpec, record_teacher
    from pocketlens.models.distill.feature_teacher import function_teacher
    from pocketlens.models.distill.pairs import dataset_of, read_pairs
    from pocketlens.models.factory import load_function

    if spec.pairs:
        pairs = read_pairs(*spec.pairs)
        held_out = max(1, len(pairs) // 10) if len(pairs) > 1 else 0
        random = np.random.default_rng(seed)
        datasets = [dataset_of(pairs[: len(pairs) - held_out], side, 160, random) for side in (size, size // 2)]
        scored = [[images.fill(picture, size, size) for picture in pair] for pair in pairs[-held_out:]]
        return datasets, [before for before, _ in scored], [after.astype(np.float32) for _, after in scored]
    effect = checked_effect(load_function(spec.effect, Path()), spec.effect)
    eval_pictures = read_eval_set(None, size, size).pictures
    outputs = [effect(picture) for picture in eval_pictures]
    path = Path(spec.effect.rpartition(":")[0])
    # Of code only the file itself can be hashed; what the effect draws tells the rest.
    key = files.key_of(
        name=spec.effect, code=files.sha256(path) if path.is_file() else "",
        drawn=digest_of(*outputs),
    )  # fmt: skip
    dataset_spec = DatasetSpec(((size, 200), (size // 2, 120)), seed)
    datasets = record_teacher(lambda: function_teacher(effect), key, dataset_spec, spec.pictures, notify)
    return datasets, eval_pictures, [picture.astype(np.float32) for picture in outputs]


def checked_effect(effect: Callable[[Picture], Picture], name: str) -> Callable[[Picture], Picture]:
    """The user's effect, which is refused with an InputError when it raises or returns what is no picture."""

    def run(picture: Picture) -> Picture:
        try:
            output = np.asarray(effect(picture.copy()))
            values = output.astype(np.float32)
        except Exception as error:
            raise InputError(f"{name} raised {type(error).__name__}: {error}", do="run it alone and mend it") from error
        if output.shape != picture.shape:
            raise InputError(
                f"{name} gave {list(output.shape)} for {list(picture.shape)}",
                do="return a picture of the same size, 0..255",
            )
        if not np.isfinite(values).all() or (output.dtype.kind in "fb" and values.max() <= 1 < picture.mean()):
            raise InputError(
                f"{name} gave {output.dtype} of {values.min():g} to {values.max():g}", do="return a picture of 0..255"
            )
        return images.to_uint8(values)

    return run


def _preview_scorer(eval_pictures: Sequence[Picture], folder: Path) -> "Scorer":
    """For trainings without targets: writes a preview, and measures how much of the person is kept."""
    from pocketlens.converters.ranges import Ranges
    from pocketlens.likeness import likeness
    from pocketlens.models.teacher import torch_teacher

    def score(student: "nn.Module", step: int) -> dict[str, float]:
        rows, structures, differences = [], [], []
        for picture in eval_pictures:
            output = images.to_uint8(torch_teacher(student, Ranges())(picture))
            rows.append(np.concatenate([picture, output], 1))
            differences.append(float(np.abs(output.astype(float) - picture).mean()))
            if kept := likeness(picture, output):
                structures.append(kept.structure)
        images.write(folder / "previews" / f"{step:06d}.png", np.concatenate(rows, 0))
        return {"moved": round(float(np.mean(differences)), 2)} | (
            {"likeness": round(float(np.mean(structures)), 4)} if structures else {}
        )

    return score
