"""The state of a training in one safetensors file: weights, averages, optimizers, random generators, how far it came.

The file is replaced whole, so a kill at any moment leaves the state before or after a save. Loading it executes
nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pocketlens import files
from pocketlens.errors import InputError

_FORMAT = "1"
_OTHER = "choose another output folder, or delete this one to train from the beginning"


@dataclass
class TrainingState:
    """Everything that a training changes.

    Attributes:
        key: A hash of what decides the training; a state of another key is not resumed from.
        modules: Whose weights are kept, by name.
        optimizers: By name.
        random: The source of everything drawn, beside torch's own.
        step: Number of updates done.
        seconds: Processor time spent, in seconds over all cores.
        history: Scores while it was trained, as JSON data.
    """

    key: str
    modules: Mapping[str, nn.Module]
    optimizers: Mapping[str, torch.optim.Optimizer]
    random: np.random.Generator
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write everything, whole or not at all."""
        from safetensors.torch import save

        tensors = {"random/torch": torch.get_rng_state()}
        for name, module in self.modules.items():
            for key, value in module.state_dict().items():
                tensors[f"module/{name}/{key}"] = value.detach().cpu().clone().contiguous()
        for name, optimizer in self.optimizers.items():
            for index, slots in optimizer.state_dict()["state"].items():
                for slot, value in slots.items():
                    tensors[f"optimizer/{name}/{index}/{slot}"] = torch.as_tensor(value).detach().cpu().clone()
        progress = {
            "step": self.step, "seconds": self.seconds, "history": self.history,
            "numpy": self.random.bit_generator.state,
        }  # fmt: skip
        files.write(path, save(tensors, {"format": _FORMAT, "key": self.key, "facts": json.dumps(progress)}))

    def load(self, path: Path, most: int) -> bool:
        """Take over the state that a file holds.

        Args:
            path: The file.
            most: The largest number of updates that the state may have: those that the training will have.

        Returns:
            Whether there was a file.

        Raises:
            InputError: The file is damaged, or holds another training or one of more updates, which must not be lost.
        """
        from safetensors import SafetensorError, safe_open

        if not path.exists():
            return False
        try:
            with safe_open(path, framework="pt") as archive:
                metadata = archive.metadata() or {}
                if metadata.get("format") != _FORMAT or metadata.get("key") != self.key:
                    raise InputError(f"{path} holds another training", do=_OTHER)
                progress = json.loads(metadata["facts"])
                if progress["step"] > most:
                    raise InputError(
                        f"{path} holds a training of {progress['step']} steps, and {most} are asked for", do=_OTHER
                    )
                tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
            self._restore(tensors, progress)
        except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise InputError(f"{path} cannot be resumed from: {error}", do="delete it and train again") from error
        return True

    def _restore(self, tensors: dict[str, torch.Tensor], progress: dict[str, Any]) -> None:
        for name, module in self.modules.items():
            prefix = f"module/{name}/"
            module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        for name, optimizer in self.optimizers.items():
            slots: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer/{name}/"):
                    index, slot = key.removeprefix(f"optimizer/{name}/").split("/")
                    slots.setdefault(int(index), {})[slot] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": slots, "param_groups": groups})
        torch.set_rng_state(tensors["random/torch"])
        self.random.bit_generator.state = progress["numpy"]
        self.step, self.seconds, self.history = progress["step"], progress["seconds"], progress["history"]
