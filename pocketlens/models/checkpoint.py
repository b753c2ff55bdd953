"""From a checkpoint to a generator: the weights are matched with an architecture, name by name and shape by shape."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models import fit, made, weights, zoo
from pocketlens.models.reshape import reshape


def load(path: Path, architecture: str) -> nn.Module:
    """Load a generator from a checkpoint, without executing anything from it.

    Args:
        path: ``.npz``, ``.safetensors``, ``.pt`` or ``.pth``; at most :data:`pocketlens.models.weights.MAX_BYTES`.
        architecture: A name of :data:`pocketlens.models.zoo.ARCHITECTURES`; which of its variants the checkpoint is of is
            told from the checkpoint.

    Returns:
        The generator in eval mode, in float32. Other float types are converted.

    Raises:
        InputError: The file cannot be read, or its weights do not fit the architecture or are not finite. The message
            says what is missing, what is too much and what has another shape, and which architecture fits better.
    """
    wanted = zoo.architecture(architecture)
    found = weights.read(path)
    if own := made.read(path):
        return _own(path, found, wanted, own)
    best = fit.closest(found, wanted)
    if best.problems:
        raise fit.refusal(path, found, best)
    # Every tensor is overwritten below, so nothing is spent on random weights.
    module = wanted.skeleton(best.variant).to_empty(device="cpu")
    own = module.state_dict()
    missing = {name: torch.zeros_like(own[name]) for name in own if name not in best.state}
    state = best.state | missing
    module.load_state_dict({name: checked(path, name, state[name], own[name]) for name in own})
    return module.eval()


def _own(path: Path, found: weights.Weights, wanted: zoo.Architecture, own: made.Made) -> nn.Module:
    """A checkpoint of Pocketlens' own, which says how wide its layers are."""
    if own.architecture != wanted.name:
        raise InputError(
            f"{path} is a {own.architecture} checkpoint and no {wanted.name}",
            do=f"set architecture = {own.architecture!r}",
        )
    try:
        module = wanted.skeleton(zoo.Variant("", own.arguments))
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        raise InputError(f"{path} asks for {dict(own.arguments)}: {error}", do="get the checkpoint again") from error
    if own.pruned:
        reshape(module, {name: tuple(tensor.shape) for name, tensor in found.items()})
    held = module.state_dict()
    wrong = [n for n in held if n not in found or found[n].shape != held[n].shape or not found[n].numel()]
    if wrong or found.keys() - held.keys():
        names = ", ".join((wrong or sorted(found.keys() - held.keys()))[:4])
        raise InputError(f"{path} does not hold what it says: {names}", do="get the checkpoint again")
    module = module.to_empty(device="cpu")
    if own.styles:
        module.styles = own.styles
    held = module.state_dict()
    module.load_state_dict({name: checked(path, name, found[name], held[name]) for name in held})
    return module.eval()


def digest(module: nn.Module) -> str:
    """The SHA-256 of a module's weights: sorted names, with their types, shapes and bytes.

    Example:
        >>> digest(nn.ReLU())[:8]
        'e3b0c442'
    """
    total = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        total.update(f"{name} {values.dtype} {list(values.shape)}\n".encode())
        total.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def checked(path: Path, name: str, tensor: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """A tensor of a checkpoint in its parameter's type.

    Args:
        path: The checkpoint, for messages.
        name: The tensor's name, for messages.
        tensor: What the checkpoint holds.
        own: The parameter or buffer that it is for, of the same shape.

    Raises:
        InputError: One is of a float type and the other is not, or a value is not finite.
    """
    if tensor.is_floating_point() != own.is_floating_point() or tensor.is_complex():
        kind = "a float type" if own.is_floating_point() else "an integer type"
        raise InputError(f"{path}: {name} is {tensor.dtype}, expected {kind}", do="save the float generator's weights")
    values = tensor.to(own.dtype)
    if not torch.isfinite(values).all():
        count = int((~torch.isfinite(values)).sum())
        raise InputError(
            f"{path}: {name} holds {count} values that are NaN or infinite in float32, of {values.numel()}",
            do="the training diverged or the file is damaged; take an earlier checkpoint",
        )
    return values
