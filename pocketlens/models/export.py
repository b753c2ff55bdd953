"""From a torch module to the graph."""

import io
import logging
import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn

from pocketlens.converters import graph as hub
from pocketlens.converters.prepare import prepare
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError, SizeError
from pocketlens.models.adaptive_pools import PoolsAsProducts
from pocketlens.models.bound import Bound, extras_of, require_picture
from pocketlens.runtimes.quiet import STDERR, STDOUT, quiet

if TYPE_CHECKING:
    import onnx_ir as ir

EXPORTERS = ("torchscript", "dynamo")
"""torch's two exporters, the one to try first in front: the older one takes 0.5 s for a generator, the newer one 3 s,
and what one of them cannot export or gets wrong, the other mostly can. Whoever exports compares the graph with the
module."""


def export(module: nn.Module, height: int, width: int, ranges: Ranges, exporter: str | None = None) -> "ir.Model":
    """Export a generator to the graph.

    Args:
        module: From ``float32 [1, 3, height, width]`` to the same; put into eval mode.
        height: In pixels.
        width: In pixels.
        ranges: The module's input and output range; they are folded into the graph.
        exporter: One of :data:`EXPORTERS`; None for the first that does not refuse the module.

    Raises:
        InputError: The module cannot run at this size, or torch cannot export it.
    """
    unprepared = export_unprepared(module, height, width, exporter)
    beside = example_of(module, height, width)[1:]
    return prepare(unprepared, height, width, ranges, len(style_names(module)), extras_of(module, beside))


def export_unprepared(module: nn.Module, height: int, width: int, exporter: str | None = None) -> "ir.Model":
    """A generator as torch exports it, before Pocketlens changes anything; see :func:`export`."""
    module.eval()
    try:
        example = example_of(module, height, width)
        with torch.no_grad():
            given = module(*example)
    except (RuntimeError, ValueError, TypeError) as error:
        raise SizeError(
            f"the generator fails at {height} x {width}: {error}", do="choose a size that it can take"
        ) from error
    require_picture(given[0] if isinstance(module, Bound) and isinstance(given, tuple) else given)
    reason = ""
    for name in EXPORTERS if exporter is None else (exporter,):
        try:
            # They print graphs of what they cannot export.
            # Without gradients, for which a trace would keep every value of the network.
            with torch.no_grad(), warnings.catch_warnings(), quiet(STDOUT), quiet(STDERR):
                # Both warn about each other, about what they constant-fold, and about tracing at a fixed size, which
                # is what a graph of fixed size wants.
                warnings.simplefilter("ignore")
                return _torchscript(module, example) if name == "torchscript" else _dynamo(module, example)
        except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
            reason = reason or (str(error).strip().splitlines() or [type(error).__name__])[0]
    raise InputError(
        f"torch cannot export the generator: {reason}", do="export it to .onnx yourself and give that file"
    )


def example_of(module: nn.Module, height: int, width: int) -> tuple[torch.Tensor, ...]:
    """What a generator is exported with: a black picture, and what it takes beside it."""
    picture = torch.zeros(1, 3, height, width)
    if isinstance(module, Bound):
        return (picture, *module.example_extras(picture))
    styles = style_names(module)
    return (picture, torch.eye(len(styles))[:1]) if styles else (picture,)


def style_names(module: nn.Module) -> tuple[str, ...]:
    """The names of a pack's styles, its attribute ``styles``; empty for a generator of one."""
    names = getattr(module, "styles", ())
    return tuple(names) if isinstance(names, tuple | list) and all(isinstance(name, str) for name in names) else ()


def _torchscript(module: nn.Module, example: tuple[torch.Tensor, ...]) -> "ir.Model":
    import onnx_ir as ir
    from onnx import load_from_string

    buffer = io.BytesIO()
    with PoolsAsProducts():
        torch.onnx.export(module, example, buffer, dynamo=False, opset_version=hub.OPSET)
    model: ir.Model = ir.from_proto(load_from_string(buffer.getvalue()))
    return model


def _dynamo(module: nn.Module, example: tuple[torch.Tensor, ...]) -> "ir.Model":
    import onnx_ir as ir

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it logs at each export that torchvision is not there
    program = torch.onnx.export(module, example, dynamo=True, optimize=True, verbose=False, opset_version=hub.OPSET)
    assert program is not None
    model: ir.Model = program.model
    return model
