"""What an emitter is: one package that turns the graph into one target's files, and one entry of
:data:`pocketlens.targets.TARGETS`.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pocketlens.errors import UnsupportedError
from pocketlens.site import page
from pocketlens.targets import ArtifactSpec, target_named

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class Labels:
    """What every artifact says of itself, where its format has a field for it."""

    name: str
    version: str = "1.0"
    description: str = ""
    license: str = "unknown"
    author: str = "unknown"


@dataclass(frozen=True)
class Refusal:
    """An operator that a target cannot express.

    Attributes:
        target: The target that refuses.
        operator: The ONNX operator, for instance ``"Einsum"``.
        node: The node's name in the graph.
        reason: What of it is not supported, in words.
    """

    target: str
    operator: str
    node: str
    reason: str

    def __str__(self) -> str:
        return f"{self.target}: {self.operator} {self.node!r}: {self.reason}"


@dataclass(frozen=True)
class LoweredOperators:
    """The standard ONNX operators that a target takes; ``docs/operators.md`` shows them.

    Attributes:
        conditions: By operator: what a node has to fulfil, in words; empty where nothing in particular.
        summary: A sentence about the target, after its name; what holds for every operator.
        has_own_lowerings: Whether the lowerings stand in this repository, so that each operator deserves a row of its
            own.
    """

    conditions: dict[str, str]
    summary: str
    has_own_lowerings: bool = False


class Emitter(Protocol):
    """The package of a target."""

    def refusals(self, model: "ir.Model") -> list[Refusal]:
        """Every node that the target cannot express; empty if all can be. Cheap, writes nothing."""
        ...

    def emit(self, model: "ir.Model", precision: str, labels: Labels, path: Path) -> None:
        """Write the artifact to ``path``, which does not exist yet. The graph is not changed.

        The same graph, precision and labels give the same bytes.
        """
        ...

    def lowered_operators(self) -> LoweredOperators:
        """The operators that the target takes."""
        ...


class ChipEmitter(Protocol):
    """What ``emit`` of a target takes besides whose files are each for one chip (:attr:`Target.chips`)."""

    def emit(
        self, model: "ir.Model", precision: str, labels: Labels, path: Path, chip: str, partly_on_cpu: bool
    ) -> None:
        """Write the artifact for ``chip``. What the chip's accelerator lacks is refused, unless ``partly_on_cpu``."""
        ...


class OnnxReader(Protocol):
    """What the package of a target adds whose layers are timed on the graph as ONNX (:attr:`Target.layer_times`)."""

    def as_read(self, model: "ir.Model") -> "ir.Model":
        """The graph as the target's own reader of ONNX gets it, with the names that the graph has."""
        ...


def emitter(target: str) -> Emitter:
    """The emitter of a target.

    Raises:
        InputError: There is no such target.
    """
    module: Emitter = import_module(target_named(target).package)
    return module


def write_artifact(model: "ir.Model", spec: ArtifactSpec, labels: Labels, path: Path) -> None:
    """Write an artifact to ``path``, for its chip where the target's files are for one.

    Raises:
        PocketlensError: As the target's :meth:`Emitter.emit`.
    """
    if spec.chip:
        compiler: ChipEmitter = import_module(spec.format.package)
        compiler.emit(model, spec.precision, labels, path, spec.chip, spec.partly_on_cpu)
    else:
        emitter(spec.target).emit(model, spec.precision, labels, path)


def _beside(model: "ir.Model", target: str) -> list[Refusal]:
    """Of targets that have files for one picture in and one out: what else goes in or comes out."""
    if target_named(target).takes_extras:
        return []
    from pocketlens.converters import graph as hub

    ends = [*model.graph.inputs[1:], *model.graph.outputs[1:]] if hub.has_extras(model) else []
    reason = "its files have one picture in and one out"
    return [Refusal(target, "the input or output", str(value.name), reason) for value in ends]


def refuse(model: "ir.Model", targets: list[str]) -> None:
    """Refuse a graph that some target cannot express.

    Raises:
        UnsupportedError: Names each operator, its node, the target and the reason.
    """
    found = [refusal for target in targets for refusal in (*_beside(model, target), *emitter(target).refusals(model))]
    if found:
        lines = "\n".join(f"  {refusal}" for refusal in found)
        raise UnsupportedError(
            f"{len(found)} operator{'s' * (len(found) > 1)} cannot be converted:\n{lines}",
            do="drop the target, or replace the operator in the model; what each target takes: " + page("operators"),
        )
