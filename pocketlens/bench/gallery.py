"""What devices made of a bundle's golden pictures, for the report."""

from collections.abc import Sequence

from pocketlens import images
from pocketlens.bench.multi_device import DeviceOutcome
from pocketlens.bench.report_pictures import ReportPicture
from pocketlens.bench.selection import golden_of
from pocketlens.bundle.read import Bundle
from pocketlens.images import Picture
from pocketlens.quality import compare


def gallery(bundle: Bundle, outcomes: Sequence[DeviceOutcome]) -> list[ReportPicture]:
    """Each artifact's picture beside the teacher's, with its scores; where several came out equal, shown once.

    A wrong picture, which is never timed, is shown too.
    """
    made: dict[tuple[str, bytes], Picture] = {}
    places: dict[tuple[str, bytes], list[str]] = {}
    for outcome in outcomes:
        for result in outcome.document.subjects if outcome.document else ():
            picture = outcome.pictures.get(result.label)
            if picture is None:
                continue
            key = (result.artifact, picture.tobytes())
            made[key] = picture
            where = result.label.removeprefix(f"{result.artifact} in ")
            places.setdefault(key, []).append(f"{where} on {outcome.device}")
    found = []
    for key, picture in made.items():
        golden = golden_of(bundle, *picture.shape[:2])
        teacher = images.read(bundle.file(golden.expected))
        name = golden.picture.rpartition("/")[2]
        scores = compare(teacher, picture)
        found.append(ReportPicture(key[0], name, teacher, picture, scores, "; ".join(places[key])))
    return found
