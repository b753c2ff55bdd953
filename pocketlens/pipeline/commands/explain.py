"""``explain``: the graph before and after the rewrites of a target, and what each layer costs."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import onnx_ir as ir

from pocketlens.bench.profile import FRAMES, PROFILERS, Step, profile
from pocketlens.converters import graph as hub
from pocketlens.converters import roofline
from pocketlens.converters.emitter import Labels, OnnxReader, emitter, refuse
from pocketlens.converters.rewrites import registry
from pocketlens.converters.roofline import LayerCost, Machine
from pocketlens.converters.signature import Signature
from pocketlens.models.source import RangeOverrides, Source, resolve
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.export import export_graphs
from pocketlens.pipeline.rewrite_selection import RewriteSelection, names_for
from pocketlens.pipeline.single_node_model import time_single_nodes
from pocketlens.runtimes.adapter import runtime_for
from pocketlens.targets import TARGETS

COSTLIEST = 10
"""Layers that are shown of each target."""
ALONE = ", each layer alone"
"""Behind the name of a runtime that tells nothing of its layers: each was played as a file of its own."""


@dataclass(frozen=True)
class Side:
    """A graph in figures.

    Attributes:
        name: ``"as given"``, ``"graph"``, or the target.
        rewrites: Those that changed something, in order.
        nodes: How many there are.
        macs: Multiply-adds of one picture; None where shapes are not fixed yet.
        parameters: Number of weights.
        estimated_ms: By :mod:`pocketlens.converters.roofline`; None where shapes are not fixed yet.
        operators: Operator → how often it stands in the graph.
    """

    name: str
    rewrites: tuple[str, ...]
    nodes: int
    macs: int | None
    parameters: int
    estimated_ms: float | None
    operators: dict[str, int]


@dataclass(frozen=True)
class Cost:
    """The costliest layers of a target.

    Attributes:
        target: It.
        layers: The ten most expensive by the model, the most expensive first.
        measured: What measured: a runtime, with :data:`ALONE` behind it where that holds, or empty.
        steps: The layers that the runtime executed and their times, the slowest first; of single layers, those of
            ``layers``.
    """

    target: str
    layers: tuple[LayerCost, ...]
    measured: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def measured_ms(self) -> float:
        """The sum of all measured layers."""
        return sum(step.ms for step in self.steps)


@dataclass(frozen=True)
class Explanation:
    """The graph before and after.

    Attributes:
        name: Of the model.
        size: Height and width, in pixels.
        machine: What the estimates assume.
        sides: As given, the graph, then each target's.
        costs: Of each target.
    """

    name: str
    size: tuple[int, int]
    machine: Machine
    sides: tuple[Side, ...]
    costs: tuple[Cost, ...]


def explain(
    model: str,
    *,
    architecture: str = "",
    size: tuple[int, int] = (256, 256),
    ranges: RangeOverrides = (None, None),
    signature: Signature | None = None,
    targets: tuple[str, ...] = ("tflite",),
    rewrites: RewriteSelection = "safe",
    machine: Machine | None = None,
    measure: bool = False,
    threads: int = 2,
    frames: int = FRAMES,
) -> Explanation:
    """Look at a model's graph before and after the rewrites, and at what its layers cost.

    Args:
        model: A checkpoint, an ``.onnx`` or ``.tflite`` file, ``hf:FOLDER``, ``builtin:NAME``, or ``module:factory``.
        architecture: The generator's architecture, for checkpoints.
        size: Height and width in pixels.
        ranges: The values that the model takes and gives for black and white, where they are not its own.
        signature: Which input and output is the picture, and what the other inputs are fixed to.
        targets: Whose rewrites to apply.
        rewrites: Which; see :func:`pocketlens.pipeline.rewrite_selection.names_for`.
        machine: What the estimates assume; None for a phone.
        measure: Also convert to each target in fp32 and measure its layers here.
        threads: To measure with.
        frames: To take the median of.

    Raises:
        InputError: The model cannot be read or exported at this size, or a target or rewrite does not exist.
        UnsupportedError: It is to be measured in a target that cannot express it.
    """
    machine = machine or Machine()
    source = resolve(model, base=Path.cwd(), architecture=architecture, ranges=ranges, size=size, signature=signature)
    chosen = {target: names_for(rewrites, target) for target in targets}
    graph = next(export_graphs(source, *size))
    sides, costs = [*_given(source, *size), side("graph", graph, (), machine)], []
    for target, names in chosen.items():
        changed = graph.clone()
        sides.append(side(target, changed, registry.apply(changed, names), machine))
        costs.append(_cost(target, changed, machine, threads if measure else 0, frames))
    return Explanation(source.name, size, machine, tuple(sides), tuple(costs))


def side(name: str, graph: ir.Model, rewrites: tuple[str, ...], machine: Machine) -> Side:
    """A graph in figures."""
    priced = roofline.layer_costs(graph, machine)
    return Side(
        name=name,
        rewrites=rewrites,
        nodes=len(priced),
        macs=hub.macs(graph),
        parameters=hub.parameters(graph),
        estimated_ms=roofline.total_ms(priced),
        operators=_operators(graph),
    )


def _operators(graph: ir.Model) -> dict[str, int]:
    counts = Counter(node.op_type for node in graph.graph if node.op_type != "Constant")
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _given(source: Source, height: int, width: int) -> list[Side]:
    """The model as it was given or exported, before anything was done to it."""
    if source.is_foreign:
        from pocketlens.converters.prepare import read_onnx
        from pocketlens.converters.tflite_source import read_tflite

        assert source.path is not None
        raw = read_onnx(source.path) if source.kind == "onnx" else read_tflite(source.path)
    elif source.kind == "hf":
        return []
    else:
        from pocketlens.models.export import export_unprepared

        raw = export_unprepared(source.load(), height, width)
    operators = _operators(raw)
    return [Side("as given", (), sum(operators.values()), None, hub.parameters(raw), None, operators)]


def _cost(target: str, graph: ir.Model, machine: Machine, threads: int, frames: int) -> Cost:
    priced = sorted(roofline.layer_costs(graph, machine), key=lambda layer: -layer.ms)[:COSTLIEST]
    if not threads:
        return Cost(target, tuple(priced))
    refuse(graph, [target])
    measured, steps = _layer_times(target, graph, [layer.name for layer in priced], threads, frames)
    return Cost(target, tuple(priced), measured, tuple(sorted(steps, key=lambda step: -step.ms)))


def _layer_times(
    target: str, graph: ir.Model, costliest: list[str], threads: int, frames: int
) -> tuple[str, tuple[Step, ...]]:
    """What measured, and the time of each layer; empty where no runtime tells."""
    if TARGETS[target].layer_times == "none":
        return "", ()
    with tempfile.TemporaryDirectory(prefix="pocketlens-") as folder:
        path = Path(folder) / f"graph{TARGETS[target].suffix}"
        if TARGETS[target].layer_times == "graph":
            path, runtime = path.with_suffix(".onnx"), TARGETS[target].runtimes[0]
            reader: OnnxReader = import_module(TARGETS[target].package)
            hub.save(reader.as_read(graph), path)
        else:
            emitter(target).emit(graph, "fp32", Labels("profile"), path)
            runtime = runtime_for(path).name
        if TARGETS[target].layer_times == "nodes":
            nodes = {str(node.name): node for node in graph.graph}
            alone = [nodes[name] for name in costliest]
            return f"{runtime}{ALONE}", time_single_nodes(alone, target, runtime, threads=threads, frames=frames)
        if runtime not in PROFILERS:
            return "", ()
        picture = read_eval_set(None, *hub.size(graph)).pictures[0]
        return runtime, profile(path, runtime, picture, threads=threads, frames=frames)
