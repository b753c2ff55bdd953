"""Weights by rule: the same for everybody from the names and shapes alone, so that reference outputs need no
checkpoint.
"""

import math
import zlib

import numpy as np
import torch
from torch import nn

State = dict[str, torch.Tensor]


def state_by_rule(module: nn.Module) -> State:
    """A state dict for a module, which may be on the meta device."""
    return {name: _tensor(name, tensor) for name, tensor in module.state_dict().items()}


def _tensor(name: str, like: torch.Tensor) -> torch.Tensor:
    shape = tuple(like.shape)
    if not like.is_floating_point():
        return torch.zeros(shape, dtype=like.dtype)
    r = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("running_var"):
        r = 1 + np.float32(0.1) * np.abs(r)
    elif len(shape) > 1:
        r = r / np.float32(math.sqrt(math.prod(shape[1:])))
    elif name.endswith("weight"):
        r = 1 + np.float32(0.1) * r
    else:
        r = np.float32(0.1) * r
    return torch.from_numpy(np.asarray(r, np.float32))
