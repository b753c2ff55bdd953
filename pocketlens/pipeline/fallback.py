"""Where an artifact in fewer bits misses the gate, another plan takes its place, the same at every size."""

from collections.abc import Callable, Sequence

from pocketlens.converters.emitter import Labels
from pocketlens.converters.quantization.plan import Plan
from pocketlens.images import Floats
from pocketlens.models.source import Source
from pocketlens.pipeline import stages
from pocketlens.pipeline.choosing import Candidates
from pocketlens.pipeline.front import Front
from pocketlens.pipeline.pictures import Judges
from pocketlens.pipeline.quantizing import Workshop
from pocketlens.pipeline.searching import Missed, Search, is_hopeless, judged, passes, search
from pocketlens.pipeline.stages import Emitted


class Fallback:
    """Looks for a plan once for each target and precision, at the first size that misses the gate."""

    def __init__(
        self, source: Source, labels: Labels, how: Search | None, notify: Callable[[str, int, int], None]
    ) -> None:
        self._source, self._labels, self._how, self._notify = source, labels, how, notify
        self._plans: dict[tuple[str, str], Plan] = {}
        self._fronts: list[Front] = []

    @property
    def fronts(self) -> tuple[Front, ...]:
        """What was found, in order."""
        return tuple(self._fronts)

    def best(
        self, emitted: Emitted, shop: Workshop, judges: Judges, teachers: Sequence[Floats], clip: Sequence[Floats]
    ) -> Emitted:
        """The artifact of the cheapest plan that passes, or the one that was given.

        Args:
            emitted: Made by the plan that was asked for.
            shop: That made its graph.
            judges: The pictures of its size.
            teachers: What it was verified against, ``float32 [height, width, 3]`` each.
            clip: The teacher's frames of the judges' clip.
        """
        how, spot = self._how, (shop.target, shop.precision)
        if how is None or shop.is_trained:
            return emitted
        if spot not in self._plans:
            references = stages.references(how.teacher, judges) if how.teacher is not None else []
            if passes(judged(emitted, judges, references), how.gate):
                return emitted
            of = Candidates(self._source, shop.graph, self._labels, judges, teachers)
            missed = Missed(shop, of, clip, references)
            self._plans[spot] = shop.start
            if not is_hopeless(missed, how.gate):
                front = search(missed, how, self._notify)
                self._fronts.append(front)
                self._plans[spot] = front.ships.plan if front.ships else shop.start
        plan = self._plans[spot]
        if plan == shop.start:
            return emitted
        made = shop.made(plan)
        key = stages.artifact_key(made.path, shop.target, shop.precision, self._labels, judges, self._source)
        return stages.emit(made, shop.target, shop.precision, self._labels, judges, teachers, key, clip)
