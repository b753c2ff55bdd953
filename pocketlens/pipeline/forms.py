"""The forms in which an artifact can be had: with its target's rewrites, without one of them, and as the graph is.

A rewrite is exact, and checked against the teacher as a graph of floats. What an emitter or a runtime makes of the
rewritten graph may be wrong all the same: OpenVINO's integer kernel of a packed 7 x 7 convolution is, on processors
with AMX (docs/upstream.md). Then the next form is tried before the artifact is given up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import refuse
from pocketlens.converters.quantization.plan import Plan
from pocketlens.errors import UnsupportedError, VerificationError
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.emit import VerifiedArtifact, emit, is_emitted
from pocketlens.pipeline.stages.quantize import graph_quantizer
from pocketlens.pipeline.stages.quantizer import GraphQuantizer
from pocketlens.pipeline.stages.rewrite import TargetGraph, rewrite
from pocketlens.recipe import Quantize
from pocketlens.targets import ArtifactSpec


@dataclass(frozen=True, eq=False)
class ArtifactRequest:
    """An artifact that is asked for.

    Attributes:
        evaluation: What it is made from and judged by.
        graph: Before rewrites.
        spec: Which it is.
        rewrites: The target's, by their names.
        quantize: The recipe's rules and settings, for low-bit precisions.
        plan: That of another size, which is taken as it is.
    """

    evaluation: Evaluation
    graph: Path
    spec: ArtifactSpec
    rewrites: tuple[str, ...]
    quantize: Quantize
    plan: Plan | None = None


@dataclass(frozen=True, eq=False)
class ArtifactForm:
    """The graph of an artifact in one form, before it is emitted.

    Attributes:
        request: The artifact that is asked for; its rewrites are those of this form.
        graph: Rewritten, and quantized where the precision is a low-bit one.
        quantizer: What made the graph's quantizers; None where the graph is of floats.
        note: Why it is not the first form; or empty.
    """

    request: ArtifactRequest
    graph: TargetGraph
    quantizer: GraphQuantizer | None = None
    note: str = ""

    def emit(self) -> VerifiedArtifact:
        """Write and verify it.

        Raises:
            VerificationError: The file does not compute what the teacher computes.
        """
        artifact = emit(self.request.evaluation, self.graph, self.request.spec)
        return replace(artifact, note=self.note) if self.note else artifact


def first_form(request: ArtifactRequest) -> ArtifactForm:
    """The first form of an artifact whose graph can be made: with all rewrites, if nothing is wrong with them.

    Raises:
        UnsupportedError: The target cannot express an operator.
        RecipeError: A rule fits nothing.
        InputError: A value cannot be calibrated.
        VerificationError: No rewritten graph computes what the teacher computes.
    """
    try:
        return _form(request)
    except (VerificationError, UnsupportedError) as error:
        other = next(_others(request, request.rewrites, error), None)
        if other is None:
            raise
        return other


def emit_first_right(form: ArtifactForm) -> tuple[ArtifactForm, VerifiedArtifact]:
    """The artifact of the first form that computes what it must, and that form.

    Raises:
        VerificationError: None does; the error is that of the form given.
    """
    try:
        return form, form.emit()
    except VerificationError as error:
        for other in _others(form.request, form.graph.rewrites, error):
            try:
                return other, other.emit()
            except VerificationError:
                continue
        raise


def _form(request: ArtifactRequest, note: str = "") -> ArtifactForm:
    evaluation, spec = request.evaluation, request.spec
    graph = rewrite(evaluation, request.graph, request.rewrites, spec.precision)
    if not spec.arithmetic.is_low_bit:
        if not is_emitted(evaluation, graph, spec):
            refuse(hub.load(graph.path), [spec.target])
        return ArtifactForm(request, graph, note=note)
    refuse(hub.load(graph.path), [spec.target])
    quantizer = graph_quantizer(
        evaluation, request.graph, graph, spec, request.quantize, plan=request.plan, rewrites=request.rewrites
    )
    return ArtifactForm(request, quantizer.quantize(), quantizer, note)


def _others(request: ArtifactRequest, changed: tuple[str, ...], error: Exception) -> Iterator[ArtifactForm]:
    """The other forms whose graphs can be made: without each rewrite that changed something, then without any."""
    without = [(name,) for name in changed] if len(changed) > 1 else []
    for left_out in (*without, changed) if changed else ():
        names = tuple(name for name in request.rewrites if name not in left_out) if left_out != changed else ()
        note = f"made without {', '.join(left_out)}: with {'it' if len(left_out) == 1 else 'them'} {_first_line(error)}"
        try:
            yield _form(replace(request, rewrites=names), note)
        except (VerificationError, UnsupportedError):
            continue


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
