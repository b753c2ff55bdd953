"""Where a low-bit artifact misses the gate, another plan takes its place, the same at every size."""

from pocketlens.converters.quantization.plan import Plan
from pocketlens.pipeline.evaluation import Evaluation
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


class Fallback:
    """Looks for a plan once for each target and precision, at the first size that misses the gate."""

    def __init__(self, settings: SearchSettings | None, notify: Progress) -> None:
        self._settings, self._notify = settings, notify
        self._plans: dict[tuple[str, str], Plan] = {}
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
        settings, key = self._settings, (quantizer.spec.target, quantizer.spec.precision)
        if settings is None or quantizer.is_trained:
            return artifact
        if key not in self._plans:
            if passes(score_against_original(evaluation, artifact), settings.gate):
                return artifact
            self._plans[key] = quantizer.plan
            if not is_hopeless(evaluation, settings.gate):
                front = search_mixed_precision(SearchProblem(evaluation, quantizer), settings, self._notify)
                self._fronts.append(front)
                self._plans[key] = front.ships.plan if front.ships else quantizer.plan
        plan = self._plans[key]
        if plan == quantizer.plan:
            return artifact
        return emit(evaluation, quantizer.quantize(plan), quantizer.spec)
