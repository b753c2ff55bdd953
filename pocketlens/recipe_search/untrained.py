"""Students that were never trained: they have the layers of trained ones, which is all that their time depends on."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.files import cached
from pocketlens.models.source import Source, resolve
from pocketlens.phones.graph_layers import graph_layers
from pocketlens.phones.layers import Costs, total
from pocketlens.pipeline.export import export_graphs
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.recipe import Compress

if TYPE_CHECKING:
    from torch import nn

    from pocketlens.models.checkpoint_metadata import CheckpointMetadata

_SIDE = 64
"""Height and width in pixels of the picture that a copy is pruned with: its layers' widths do not depend on it."""


def untrained_student(teacher: Source, settings: Compress, size: tuple[int, int]) -> Source:
    """The student of a recipe with the weights that it begins with, or with random ones.

    Raises:
        InputError: The teacher cannot be pruned so far.
    """

    def make(folder: Path) -> None:
        from pocketlens.models.checkpoint_metadata import save_checkpoint

        student, metadata = _student(teacher, settings, size)
        save_checkpoint(student, folder / "student.safetensors", metadata)

    shape = settings.key("steps", "int8_steps", "pictures", "batch", "rate", "adversarial", "seed")
    entry = cached("untrained", stage_key(teacher=teacher.key, settings=shape, size=size), make)
    return resolve("student.safetensors", base=entry)


def student_costs(teacher: Source, settings: Compress, size: tuple[int, int]) -> Costs:
    """What a student costs, layer by layer, before it is trained."""
    student = untrained_student(teacher, settings, size)

    def make(folder: Path) -> None:
        layers = graph_layers(next(export_graphs(student, *size)))
        (folder / "costs.json").write_text(json.dumps(asdict(total(layers))))

    entry = cached("student-costs", stage_key(student=student.key, size=size), make)
    return Costs(**json.loads((entry / "costs.json").read_text()))


def _student(teacher: Source, settings: Compress, size: tuple[int, int]) -> "tuple[nn.Module, CheckpointMetadata]":
    import torch

    from pocketlens.models.checkpoint_metadata import CheckpointMetadata
    from pocketlens.models.distill.initial_student import cut_copy, pocket_arguments, pruned_metadata
    from pocketlens.models.pocket import Pocket

    module = None if teacher.is_foreign else teacher.load()
    if settings.macs is None and settings.channels is None:
        arguments = pocket_arguments(module, settings)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            return Pocket(**arguments).eval(), CheckpointMetadata("pocket", arguments)
    assert module is not None
    low, high = teacher.ranges.input
    grain = torch.rand(1, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(settings.seed))
    return cut_copy(module, settings, size, [low + grain * (high - low)]).module, pruned_metadata(teacher)
