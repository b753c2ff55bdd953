"""A small teacher, as a checkpoint."""

from pathlib import Path

import torch

from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
from pocketlens.models.pocket import Pocket
from pocketlens.models.source import Source, resolve

ARGUMENTS = {"channels": 16, "instance_norm": 1}


def save_teacher(folder: Path) -> Source:
    """A pocket generator of random weights, always the same, as ``t.safetensors`` in a folder."""
    torch.manual_seed(0)
    save_checkpoint(Pocket(**ARGUMENTS), folder / "t.safetensors", CheckpointMetadata("pocket", ARGUMENTS))
    return resolve("t.safetensors", base=folder, architecture="pocket")
