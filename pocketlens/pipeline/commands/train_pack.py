"""``train --pack``: several styles in one generator, or more styles for one that exists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pocketlens import files, images, quality
from pocketlens.errors import InputError, require
from pocketlens.pipeline.builtin_origin import with_origin_of
from pocketlens.pipeline.commands.pack_examples import PackTraining, StyleExamples
from pocketlens.pipeline.commands.pack_file import PackFile, PackStyle, read_pack_file
from pocketlens.pipeline.commands.train import ARGUMENTS, TrainedFilter, check_output, recipe_of, write_filter
from pocketlens.pipeline.commands.train_style import ATTRIBUTION, SHEET, tile
from pocketlens.pipeline.eval_set import pure, read_eval_set
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from pocketlens.models.training.loop import Scorer

_COLUMNS = 4
"""Pictures in a line of the contact sheet."""
_RATE, _OWN_RATE = 3e-3, 2e-2
"""The highest learning rates: of a whole pack, and of one style's own numbers, which start near 1 and 0."""


@dataclass(frozen=True)
class _Pack:
    """A pack before its training.

    Attributes:
        module: With a row of numbers for each style.
        architecture: Its name.
        arguments: What the architecture's class is called with.
        names: The styles', in order.
        untrained: Styles whose numbers are to be learned.
        is_grown: Whether it grew from another pack, whose weights stay.
    """

    module: "nn.Module"
    architecture: str
    arguments: Mapping[str, int]
    names: tuple[str, ...]
    untrained: tuple[PackStyle, ...]
    is_grown: bool


def train_pack(
    path: Path, pictures: Path | None, output: Path, *, name: str = "pack", size: int = 256, steps: int = 2000,
    seed: int = 7, threads: int = 2, notify: Progress = silent,
) -> TrainedFilter:  # fmt: skip
    """Make a pack of the styles that a file lists, or add them to another pack, and write it with a recipe.

    Styles of paintings need no training where all styles of a new pack are paintings, or where they are added to a pack
    of Magenta's network. Of a style that is added, only its own numbers are trained, and the others' pictures stay the
    same to the bit.

    Args:
        path: The file, ``pack.toml``.
        pictures: What styles are learned on; the photographs that ship if left out.
        output: Gets ``student.safetensors``, ``recipe.toml``, a portrait in every style, and the state of the training.
        name: What the pack is called.
        size: Height and width in pixels that it is for, a multiple of 32.
        steps: Weight updates.
        seed: Of everything random.
        threads: Of torch.
        notify: Told about progress.

    Raises:
        InputError: The file, or what it names, is wrong; the message says where.
    """
    require("torch", "build")
    check_output(output, size)
    recipe = recipe_of(name, size)
    from pocketlens.models.checkpoint_metadata import CheckpointMetadata

    file = read_pack_file(path)
    training = PackTraining(path.parent, output, pictures, size, steps, seed, threads, notify)
    pack = _begin(file, training)
    history, seconds = _trained(pack, training) if pack.untrained else (({"steps": 0.0},), 0.0)
    _draw(pack.module, pack.names, size, output / SHEET)
    recipe = _with_origin_of_base(file.base, path.parent, recipe) if file.base else recipe
    if any(style.painting for style in file.style):  # Magenta's network is in the pack, or taught it
        named = tuple(dict.fromkeys((*recipe.filter.attribution, ATTRIBUTION)))
        recipe = recipe.model_copy(update={"filter": recipe.filter.model_copy(update={"attribution": named})})
    metadata = CheckpointMetadata(pack.architecture, pack.arguments, styles=pack.names)
    return TrainedFilter(write_filter(output, pack.module, metadata, history, recipe), history, seconds)


def _with_origin_of_base(base: str, folder: Path, recipe: Recipe) -> Recipe:
    """The recipe with licence and attribution of the pack that grew: its weights are in the new one."""
    from pocketlens.models import zoo
    from pocketlens.models.source import resolve

    source = resolve(base, base=folder)
    assert source.path is not None
    path = zoo.builtin(source.name).recipe if source.kind == "builtin" else source.path.parent / "recipe.toml"
    if not path.is_file():
        return recipe
    about = Recipe.read(path).filter
    if source.kind != "builtin" and (path.parent / about.source).resolve() != source.path.resolve():
        return recipe  # another filter's
    return with_origin_of(about, recipe)


def _draw(module: "nn.Module", names: Sequence[str], size: int, path: Path) -> None:
    """Write a contact sheet: the first evaluation picture, and what each style makes of it."""
    from pocketlens.converters.ranges import Ranges
    from pocketlens.models.teacher import torch_teacher

    portrait, play = read_eval_set(None, size, size).pictures[0], torch_teacher(module, Ranges())
    tiles = [tile(portrait, "photograph")]
    tiles += [tile(images.to_uint8(play(portrait, pure(row, len(names)))), style) for row, style in enumerate(names)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _COLUMNS if len(tiles) > _COLUMNS else 0)
    lines = [np.concatenate(tiles[i : i + _COLUMNS], 1) for i in range(0, len(tiles), _COLUMNS)]
    images.write(path, np.concatenate(lines, 0))


def _begin(file: PackFile, training: PackTraining) -> _Pack:
    """The pack with all numbers that need no training."""
    from pocketlens.models.training.loop import Schedule, seed_everything
    from pocketlens.models.training.pocket_init import initial_pocket

    names = tuple(style.name for style in file.style)
    if file.base:
        return _grown(file, training)
    if all(style.painting for style in file.style):
        return _Pack(training.painter(file.style), "painter", {"styles": len(names)}, names, (), is_grown=False)
    seed_everything(Schedule(seed=training.seed, threads=training.threads))
    arguments = {**ARGUMENTS, "styles": len(names)}
    return _Pack(initial_pocket(**arguments), "pocket", arguments, names, file.style, is_grown=False)


def _grown(file: PackFile, training: PackTraining) -> _Pack:
    """A pack with more rows; those of paintings are Magenta's own, where the network is."""
    import torch

    from pocketlens.models import zoo
    from pocketlens.models.checkpoint_metadata import read_metadata
    from pocketlens.models.source import resolve

    source = resolve(file.base, base=training.folder)
    metadata = read_metadata(source.path) if source.path else None
    if metadata is None or not metadata.styles:
        raise InputError(f"{file.base} is no style pack of Pocketlens", do="give the checkpoint of a pack as base")
    names = (*metadata.styles, *(style.name for style in file.style))
    if len(set(names)) < len(names):
        raise InputError(
            f"{file.base} has the styles {', '.join(metadata.styles)} already", do="give the new style another name"
        )
    state = source.load().state_dict()
    rows = state["table"].mean(0, keepdim=True).repeat(len(file.style), 1)
    is_painter = metadata.architecture == "painter"
    for row, style in enumerate(file.style):
        if is_painter and style.painting:
            rows[row] = training.painter([style]).get_parameter("table")[0].detach()
    arguments = {**metadata.arguments, "styles": len(names)}
    module = zoo.architecture(metadata.architecture).generator_class()(**arguments)
    module.load_state_dict({**state, "table": torch.cat([state["table"], rows])})
    untrained = tuple(style for style in file.style if not (is_painter and style.painting))
    return _Pack(module.eval(), metadata.architecture, arguments, names, untrained, is_grown=True)


def _trained(pack: _Pack, training: PackTraining) -> tuple[tuple[dict[str, float], ...], float]:
    """Train what a pack lacks, in place; gives the scores on the way, and the seconds."""
    from pocketlens.models.distill.dataset import digest
    from pocketlens.models.distill.distillation import LossWeights
    from pocketlens.models.distill.pack_distillation import PackDistillation
    from pocketlens.models.training.loop import Schedule, run_training, scoring_interval, seed_everything

    interval = scoring_interval(training.steps)
    schedule = Schedule(
        steps=training.steps, seed=training.seed, threads=training.threads, score_every=interval, save_every=interval
    )
    examples = {pack.names.index(style.name): training.examples(style) for style in pack.untrained}
    score = _scorer(pack.names, examples, training.size, training.output / "previews")
    random = seed_everything(schedule)
    task = PackDistillation(
        pack.module, [shown.dataset for shown in examples.values()], score,
        LossWeights(features=0), peak=_OWN_RATE if pack.is_grown else _RATE, pixels=9 * training.size**2 // 4,
        rows=tuple(examples) if pack.is_grown else (),
    )  # fmt: skip
    key = files.key_of(
        styles=pack.names, drawn=digest([shown.dataset for shown in examples.values()]), size=training.size,
        start=[tensor.tolist() for name, tensor in pack.module.state_dict().items() if name == "table"],
    )  # fmt: skip
    result = run_training(task, schedule, random, training.output, key, training.notify)
    pack.module.load_state_dict(result.student.state_dict())
    return result.history, result.seconds


def _scorer(names: Sequence[str], examples: Mapping[int, StyleExamples], size: int, previews: Path) -> "Scorer":
    """Scores the trained styles against what each is learned from, the mean and each; writes a preview."""
    from pocketlens.converters.ranges import Ranges
    from pocketlens.models.teacher import torch_teacher

    def score(student: "nn.Module", step: int) -> dict[str, float]:
        _draw(student, names, size, previews / f"{step:06d}.png")
        play, of_styles, psnrs = torch_teacher(student, Ranges()), {}, []
        for row, shown in examples.items():
            style = np.eye(len(names))[row].tolist()
            scores = [
                quality.compare(target, images.to_uint8(play(picture, style)))
                for picture, target in zip(shown.inputs, shown.targets, strict=True)
            ]
            of_styles[names[row]] = round(float(np.mean([s.ssim for s in scores])), 4)
            psnrs += [s.psnr for s in scores]
        means = {"ssim": round(float(np.mean(list(of_styles.values()))), 4), "psnr": round(float(np.mean(psnrs)), 2)}
        return means | of_styles

    return score
