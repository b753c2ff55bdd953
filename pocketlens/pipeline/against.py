"""A student's artifacts are verified against the student, and judged against the teacher that it was distilled from."""

from collections.abc import Sequence
from dataclasses import replace

from pocketlens.models.source import Source
from pocketlens.pipeline import stages
from pocketlens.pipeline.produce import Notify, Produced
from pocketlens.pipeline.searching import judged


def against(teacher: Source, made: Sequence[Produced], notify: Notify) -> list[Produced]:
    """Replace the scores of artifacts of a student by those against its teacher, which gates and report then show.

    That a file computes what its student computes was verified before, and golden pictures stay the student's. Flicker too is
    the student's: what its artifacts add to the change between frames.

    Args:
        teacher: What the student was distilled from.
        made: Artifacts of the student.
        notify: Told about progress.
    """
    scored = []
    for one in made:
        references = tuple(stages.references(teacher, one.judges))
        artifacts = []
        for done, emitted in enumerate(one.artifacts):
            notify(f"{emitted.id} against the teacher", done, len(one.artifacts))
            artifacts.append(judged(emitted, one.judges, references))
        scored.append(replace(one, originals=references, artifacts=tuple(artifacts)))
    return scored
