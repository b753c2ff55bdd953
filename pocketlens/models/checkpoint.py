"""From a checkpoint to a generator: the weights are matched with an architecture, name by name and shape by shape."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models import checkpoint_match, weights, zoo
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, read_metadata
from pocketlens.models.resize_layers import resize_layers


def load(path: Path, architecture: str) -> nn.Module:
    """Load a generator from a checkpoint, without executing anything from it.

    Args:
        path: ``.npz``, ``.safetensors``, ``.pt`` or ``.pth``; at most :data:`pocketlens.models.weights.MAX_BYTES`.
        architecture: A name of :data:`pocketlens.models.zoo.ARCHITECTURES`; how deep and how wide it is, the
            checkpoint's tensors show.

    Returns:
        The generator in eval mode, in float32. Other float types are converted.

    Raises:
        InputError: The file cannot be read, or its weights do not fit the architecture or are not finite. The message
            says what is missing, what is too much and what has another shape, and which architecture fits better.
    """
    expected = zoo.architecture(architecture)
    tensors = weights.read(path)
    if metadata := read_metadata(path):
        return _load_own(path, tensors, expected, metadata)
    match = checkpoint_match.best_match(tensors, expected)
    if match.problems:
        raise checkpoint_match.mismatch_error(path, tensors, match)
    # Every tensor is overwritten below, so nothing is spent on random weights.
    module = match.skeleton().to_empty(device="cpu")
    parameters = module.state_dict()
    missing = {name: torch.zeros_like(parameters[name]) for name in parameters if name not in match.state}
    state = match.state | missing
    module.load_state_dict({name: checked_cast(path, name, state[name], parameters[name]) for name in parameters})
    return module.eval()


def _load_own(
    path: Path, tensors: weights.StateDict, expected: zoo.Architecture, metadata: CheckpointMetadata
) -> nn.Module:
    """A checkpoint of Pocketlens' own, which says how wide its layers are."""
    if metadata.architecture != expected.name:
        raise InputError(
            f"{path} is a {metadata.architecture} checkpoint and no {expected.name}",
            do=f"set architecture = {metadata.architecture!r}",
        )
    try:
        module = expected.skeleton(zoo.Variant("", metadata.arguments))
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        raise InputError(
            f"{path} asks for {dict(metadata.arguments)}: {error}", do="get the checkpoint again"
        ) from error
    if metadata.pruned:
        resize_layers(module, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    parameters = module.state_dict()
    wrong = [
        name
        for name in parameters
        if name not in tensors or tensors[name].shape != parameters[name].shape or not tensors[name].numel()
    ]
    if wrong or tensors.keys() - parameters.keys():
        names = ", ".join((wrong or sorted(tensors.keys() - parameters.keys()))[:4])
        raise InputError(f"{path} does not hold what it says: {names}", do="get the checkpoint again")
    module = module.to_empty(device="cpu")
    if metadata.styles:
        module.styles = metadata.styles
    parameters = module.state_dict()
    module.load_state_dict({name: checked_cast(path, name, tensors[name], parameters[name]) for name in parameters})
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


def checked_cast(path: Path, name: str, tensor: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A tensor of a checkpoint in its parameter's type.

    Args:
        path: The checkpoint, for messages.
        name: The tensor's name, for messages.
        tensor: What the checkpoint holds.
        parameter: The parameter or buffer that it is for, of the same shape.

    Raises:
        InputError: Only one of the two is of a float type, or a value is not finite.
    """
    if tensor.is_floating_point() != parameter.is_floating_point() or tensor.is_complex():
        kind = "a float type" if parameter.is_floating_point() else "an integer type"
        raise InputError(f"{path}: {name} is {tensor.dtype}, expected {kind}", do="save the float generator's weights")
    values = tensor.to(parameter.dtype)
    if not torch.isfinite(values).all():
        count = int((~torch.isfinite(values)).sum())
        raise InputError(
            f"{path}: {name} holds {count} values that are NaN or infinite in float32, of {values.numel()}",
            do="the training diverged or the file is damaged; take an earlier checkpoint",
        )
    return values
