"""Where a low-bit artifact misses the gate, or is wrong as asked, another plan takes its place: the same at every size
where it passes.
"""

from dataclasses import replace

from pocketlens.converters.quantization.plan import Plan
from pocketlens.errors import VerificationError
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.helpers import Helpers
from pocketlens.pipeline.search.mixed_precision_search import (
    SearchProblem,
    SearchSettings,
    is_hopeless,
    passes,
    search_mixed_precision,
)
from pocketlens.pipeline.search.pareto import ParetoFront
from pocketlens.pipeline.stages.emit import VerifiedArtifact, emit
from pocketlens.pipeline.stages.quantizer import GraphQuantizer
from pocketlens.pipeline.stages.score_against_original import score_against_original
from pocketlens.progress import Progress

Kind = tuple[str, str]
"""A target and a precision."""


class Fallback:
    """Looks for a plan of each target and precision, at the first size that needs one.

    The plan is taken at the sizes that follow. Where it misses the gate there, a search at that size begins with it.
    """

    def __init__(self, settings: SearchSettings | None, notify: Progress, helpers: Helpers) -> None:
        self._settings, self._notify, self._helpers = settings, notify, helpers
        self._plans: dict[Kind, Plan] = {}
        self._given_up: set[Kind] = set()
        self._fronts: list[ParetoFront] = []

    @property
    def fronts(self) -> tuple[ParetoFront, ...]:
        """What was searched, in order."""
        return tuple(self._fronts)

    def best(self, evaluation: Evaluation, artifact: VerifiedArtifact, quantizer: GraphQuantizer) -> VerifiedArtifact:
        """The artifact of the cheapest plan that passes, or the one that was given.

        Args:
            evaluation: What it is judged by.
            artifact: Made by the plan that was asked for.
            quantizer: That made its graph.
        """
        settings, kind = self._settings, _kind(quantizer)
        if settings is None or quantizer.is_trained or kind in self._given_up:
            return artifact
        if kind in self._plans:
            quantizer = replace(quantizer, plan=self._plans[kind])
            try:
                artifact = emit(evaluation, quantizer.quantize(), quantizer.spec)
            except VerificationError:
                return self._searched(evaluation, quantizer, settings) or artifact
        if passes(score_against_original(evaluation, artifact), settings.gate):
            return artifact
        return self._searched(evaluation, quantizer, settings) or artifact

    def instead(self, evaluation: Evaluation, quantizer: GraphQuantizer, error: VerificationError) -> VerifiedArtifact:
        """The artifact of the cheapest plan that passes, where the file of the plan that was asked for is wrong.

        Args:
            evaluation: What it is judged by.
            quantizer: That made its graph.
            error: What is wrong with that file.

        Raises:
            VerificationError: ``error``, where no plan passes or none is looked for.
        """
        settings, kind = self._settings, _kind(quantizer)
        if settings is None or quantizer.is_trained or kind in self._given_up:
            raise error
        if kind in self._plans:
            quantizer = replace(quantizer, plan=self._plans[kind])
        artifact = self._searched(evaluation, quantizer, settings)
        if artifact is None:
            raise error
        return replace(artifact, note=f"layers were kept in float: as asked, {error.what}")

    def _searched(
        self, evaluation: Evaluation, quantizer: GraphQuantizer, settings: SearchSettings
    ) -> VerifiedArtifact | None:
        """The artifact of the plan that a search at this size finds; None where it finds none."""
        kind = _kind(quantizer)
        if is_hopeless(evaluation, settings.gate):
            self._given_up.add(kind)
            return None
        if settings.timing is not None:
            self._helpers.end()  # beside them no time would be right
        front = search_mixed_precision(SearchProblem(evaluation, quantizer), settings, self._notify)
        self._fronts.append(front)
        if front.ships is None:
            if kind not in self._plans:
                self._given_up.add(kind)
            return None
        self._plans[kind] = front.ships.plan
        return emit(evaluation, quantizer.quantize(front.ships.plan), quantizer.spec)


def _kind(quantizer: GraphQuantizer) -> Kind:
    return quantizer.spec.target, quantizer.spec.precision
