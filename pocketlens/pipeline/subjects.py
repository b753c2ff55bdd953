"""From an artifact that was emitted to what is measured."""

from collections.abc import Sequence

from pocketlens.bench.case import BenchmarkCase
from pocketlens.images import Floats, to_uint8
from pocketlens.pipeline.pictures import Judges
from pocketlens.pipeline.stages import Emitted
from pocketlens.runtimes.adapter import runtime_for


def subject_of(
    emitted: Emitted, judges: Judges, teachers: Sequence[Floats], threads: int, name: str = ""
) -> BenchmarkCase:
    """An artifact in the first runtime that plays it; its first judge picture is checked before it is timed.

    Args:
        emitted: The artifact.
        judges: The pictures.
        teachers: The pictures that it was verified against.
        threads: To measure with.
        name: Its own id if left out.

    Raises:
        MissingError: No runtime that plays it is installed.
    """
    return BenchmarkCase(
        artifact=name or emitted.id,
        path=emitted.path,
        target=emitted.target,
        precision=emitted.precision,
        runtime=runtime_for(emitted.path).name,
        picture=judges.pictures[0],
        expected=to_uint8(teachers[0]),
        min_psnr=emitted.verified.golden_psnr,
        threads=threads,
    )
