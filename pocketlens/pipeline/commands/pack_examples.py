"""What the styles of a pack are learned from: for each a dataset, and pictures that score it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pocketlens import files, images
from pocketlens.images import Floats, Picture
from pocketlens.pipeline.commands.pack_file import PackStyle
from pocketlens.pipeline.commands.train import TrainingSpec, checked_effect, train
from pocketlens.pipeline.commands.train_style import Painting, style_of
from pocketlens.pipeline.eval_set import digest_of, read_eval_set
from pocketlens.progress import Progress

if TYPE_CHECKING:
    from pocketlens.models.distill.dataset import DistillationDataset
    from pocketlens.models.painter import Painter

PICTURES = 160
"""Training pictures of a style."""


@dataclass(frozen=True)
class StyleExamples:
    """What one style is learned from.

    Attributes:
        dataset: Pictures to learn from.
        inputs: Pictures that score.
        targets: What they should become, ``float32 [size, size, 3]``.
    """

    dataset: "DistillationDataset"
    inputs: Sequence[Picture]
    targets: Sequence[Floats]


@dataclass(frozen=True)
class PackTraining:
    """What the styles of one training share.

    Attributes:
        folder: Of the pack's file: relative paths start there.
        output: Filters that are trained on the way, from two folders, lie in ``output / "teachers"``.
        pictures: The folder of pictures to learn on; None for those that ship.
        size: Height and width in pixels.
        steps: Weight updates.
        seed: Of everything random.
        threads: Of torch.
        notify: Told about progress.
    """

    folder: Path
    output: Path
    pictures: Path | None
    size: int
    steps: int
    seed: int
    threads: int
    notify: Progress

    def examples(self, style: PackStyle) -> StyleExamples:
        """The examples of a style.

        Raises:
            InputError: There is nothing to learn it from; the message says what is missing.
        """
        if style.pairs:
            return self._pairs(*(self.folder / name for name in style.pairs))
        from pocketlens.models.distill.dataset import DatasetSpec, record_teacher
        from pocketlens.models.distill.feature_teacher import function_teacher

        paint, key = self._painter(style)
        inputs = read_eval_set(None, self.size, self.size).pictures
        outputs = [paint(picture) for picture in inputs]
        key = files.key_of(style=key, drawn=digest_of(*map(images.to_uint8, outputs)))
        spec = DatasetSpec(((self.size, PICTURES),), self.seed)
        (dataset,) = record_teacher(lambda: function_teacher(paint), key, spec, self.pictures, self.notify)
        return StyleExamples(dataset, inputs, [output.astype(np.float32) for output in outputs])

    def painter(self, styles: Sequence[PackStyle]) -> "Painter":
        """Magenta's network in the styles of paintings.

        Raises:
            InputError: A painting cannot be read, or has no style.
        """
        from pocketlens.models.training import magenta
        from pocketlens.models.training.pictures import read_pictures

        shown = read_pictures(self.pictures)
        paintings = [Painting(self.folder / s.painting, s.strength, s.size, s.own_colours) for s in styles]
        return magenta.painter(
            [style_of(painting, shown) for painting in paintings], [painting.colours for painting in paintings]
        )

    def _painter(self, style: PackStyle) -> tuple[Callable[[Picture], Picture | Floats], str]:
        """What draws in a style, and what says which it is."""
        if style.painting:
            from pocketlens.converters.ranges import Ranges
            from pocketlens.models.teacher import torch_teacher

            return torch_teacher(self.painter([style]), Ranges()), style.model_dump_json()
        if style.effect:
            from pocketlens.models.factory import load_function

            return checked_effect(load_function(style.effect, self.folder), style.effect), style.effect
        from pocketlens.models.distill.feature_teacher import feature_teacher, teacher_key
        from pocketlens.models.source import resolve

        if style.folders:
            path = self.output / "teachers" / style.name
            first, second = (self.folder / name for name in style.folders)
            train(
                TrainingSpec(folders=(first, second)), path, name=style.name, size=self.size, steps=self.steps,
                seed=self.seed, threads=self.threads, notify=self.notify,
            )  # fmt: skip
            source = resolve(str(path / "student.safetensors"), base=Path(), architecture="pocket")
        else:
            source = resolve(style.teacher, base=self.folder, architecture=style.architecture)
        teacher = feature_teacher(source)
        return lambda picture: teacher(picture)[0], teacher_key(source)

    def _pairs(self, before: Path, after: Path) -> StyleExamples:
        from pocketlens.models.distill.pairs import dataset_of, read_pairs

        pairs = read_pairs(before, after)
        held_out = max(1, len(pairs) // 10) if len(pairs) > 1 else 0
        random = np.random.default_rng(self.seed)
        dataset = dataset_of(pairs[: len(pairs) - held_out], self.size, PICTURES, random)
        scored = [[images.fill(picture, self.size, self.size) for picture in pair] for pair in pairs[-held_out:]]
        return StyleExamples(dataset, [first for first, _ in scored], [after.astype(np.float32) for _, after in scored])
