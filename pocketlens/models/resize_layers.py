"""Give a module's layers the widths and ranks that a checkpoint's tensors show, so that its weights can be loaded."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models.pruning.low_rank_conv import empty_low_rank, full_rank

_NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d)
_TAKES = ("in_channels", "num_features", "num_channels")
"""Where convolutions and norms say how many channels they take."""
_COLOURS = 3
_DO = "check the checkpoint"


def resize_layers(module: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Replace every weight and statistic of another shape by an empty one of the given shape, on the module's device.

    A convolution that the file holds as a low-rank pair becomes one.

    Args:
        module: On torch's meta device.
        shapes: The shapes of the checkpoint's tensors, by name.

    Raises:
        InputError: A shape has other dimensions, a kernel is of another size, or the layers do not fit together: the
            message names the first that takes other channels than it gets.
    """
    _insert_low_rank_pairs(module, shapes)
    for name, layer in module.named_modules():
        tensors = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
        for part, tensor in tensors:
            full = f"{name}.{part}" if name else part
            shape = shapes.get(full, tuple(tensor.shape))
            if len(shape) != tensor.ndim or 0 in shape or shape[2:] != tensor.shape[2:]:
                raise InputError(f"{full} is {list(shape)}, expected one like {list(tensor.shape)}", do=_DO)
            empty = torch.empty(shape, dtype=tensor.dtype, device=tensor.device)
            setattr(layer, part, nn.Parameter(empty) if isinstance(tensor, nn.Parameter) else empty)
        _set_channels(layer)
        bias = getattr(layer, "bias", None)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and bias is not None and len(bias) != layer.out_channels:
            raise InputError(f"{name} gives {layer.out_channels} channels and has {len(bias)} biases", do=_DO)
    _check_widths(module)


def _insert_low_rank_pairs(module: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, layer in list(module.named_modules()):
        first = shapes.get(f"{name}.0.weight", ())
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and f"{name}.weight" not in shapes and len(first) == 4:
            rank = first[1 if isinstance(layer, nn.ConvTranspose2d) else 0]
            if not 1 <= rank <= full_rank(layer) or layer.groups > 1:
                raise InputError(f"{name} cannot be two convolutions through {rank}", do=_DO)
            module.set_submodule(name, empty_low_rank(layer, rank))


def _set_channels(layer: Any) -> None:
    if isinstance(layer, nn.Conv2d):
        depthwise = layer.groups > 1 and layer.groups == layer.in_channels
        layer.out_channels = layer.weight.shape[0]
        layer.groups = layer.out_channels if depthwise else layer.groups
        layer.in_channels = layer.weight.shape[1] * layer.groups
    elif isinstance(layer, nn.ConvTranspose2d):
        layer.in_channels, layer.out_channels = layer.weight.shape[0], layer.weight.shape[1] * layer.groups
    elif isinstance(layer, _NORMS) and layer.weight is not None:
        layer.num_features = len(layer.weight)
    elif isinstance(layer, nn.GroupNorm) and layer.weight is not None:
        layer.num_channels = len(layer.weight)


def _check_widths(module: nn.Module) -> None:
    """Each layer takes as many channels as it gets, from a picture on to a picture; norms without weights learn how
    many.
    """
    names = {layer: name for name, layer in module.named_modules()}

    def check(layer: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        got = inputs[0].shape[1]
        if isinstance(layer, nn.InstanceNorm2d) and layer.weight is None:
            layer.num_features = got
        takes = next(getattr(layer, part) for part in _TAKES if hasattr(layer, part))
        if takes != got:
            raise InputError(f"{names[layer]} takes {takes} channel{'s' * (takes != 1)} and gets {got}", do=_DO)

    layers = [layer for layer in names if any(hasattr(layer, part) for part in _TAKES)]
    hooks = [layer.register_forward_pre_hook(check) for layer in layers]
    side = max(64, 2 * int(getattr(module, "multiple", 1)))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = module(torch.empty(1, _COLOURS, side, side, device="meta"))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"its layers do not fit together: {error}", do=_DO) from error
    finally:
        for hook in hooks:
            hook.remove()
    if picture.shape[1] != _COLOURS:
        raise InputError(f"it gives {picture.shape[1]} channels, expected a picture of {_COLOURS}", do=_DO)
