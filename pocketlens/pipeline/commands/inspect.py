"""``inspect``: what a model is and which targets can express it, before any work is done."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Refusal, emitter
from pocketlens.converters.rewrites import registry
from pocketlens.converters.signature import Signature
from pocketlens.files import whole
from pocketlens.models.source import RangeOverrides, resolve
from pocketlens.pipeline.export import export_graphs
from pocketlens.pipeline.rewrite_selection import RewriteSelection, names_for
from pocketlens.targets import TARGETS

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class Inspection:
    """What a model is.

    Attributes:
        size: Height and width that it was looked at, in pixels.
        macs: Multiply-adds of one picture.
        parameters: Number of weights.
        operators: Operator → how often it stands in the graph.
        refusals: Target → one line for each operator that it cannot express; empty if it can all.
    """

    name: str
    size: tuple[int, int]
    macs: int
    parameters: int
    operators: dict[str, int]
    refusals: dict[str, tuple[str, ...]]


def inspect(
    model: str,
    *,
    architecture: str = "",
    size: tuple[int, int] = (256, 256),
    ranges: RangeOverrides = (None, None),
    signature: Signature | None = None,
    rewrites: RewriteSelection = "safe",
    save: Path | None = None,
) -> Inspection:
    """Look at a model.

    Args:
        model: A checkpoint, an ``.onnx`` or ``.tflite`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        architecture: The generator's architecture, for checkpoints.
        size: Height and width in pixels.
        ranges: The values that the model takes and gives for black and white, where they are not its own.
        signature: Which input and output is the picture, and what the other inputs are fixed to.
        rewrites: Which rewrites each target gets, as for ``convert``.
        save: Where to write the graph as ``.onnx``, if anywhere.

    Raises:
        InputError: The model cannot be read or exported at this size.
    """
    source = resolve(model, base=Path.cwd(), architecture=architecture, ranges=ranges, size=size, signature=signature)
    graph = next(export_graphs(source, *size))
    if save is not None:
        with whole(save) as part:
            hub.save(graph, part)
    refusals = {
        target: tuple(f"{r.operator} {r.node!r}: {r.reason}" for r in refused(graph, target, rewrites))
        for target in TARGETS
    }
    counts = Counter(node.op_type for node in graph.graph)
    operators = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return Inspection(source.name, size, hub.macs(graph), hub.parameters(graph), operators, refusals)


def refused(graph: "ir.Model", target: str, rewrites: RewriteSelection = "safe") -> list[Refusal]:
    """What a target cannot express of a graph, after the rewrites that ``convert`` would give it.

    Raises:
        InputError: There is no such target or rewrite.
    """
    changed = graph.clone()
    registry.apply(changed, names_for(rewrites, target))
    return emitter(target).refusals(changed)
