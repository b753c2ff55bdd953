"""The golden pictures of a bundle as devices stylized them, for the report."""

from collections.abc import Sequence

from pocketlens import images
from pocketlens.bench.multi_device import DeviceOutcome
from pocketlens.bench.report_pictures import ReportPicture
from pocketlens.bench.selection import golden_of
from pocketlens.bundle.read import Bundle
from pocketlens.images import Picture
from pocketlens.quality import compare


def golden_gallery(bundle: Bundle, outcomes: Sequence[DeviceOutcome]) -> list[ReportPicture]:
    """Each artifact's picture beside the teacher's, with its scores; equal pictures are shown once.

    A wrong picture, which is never timed, is shown too.
    """
    pictures: dict[tuple[str, bytes], Picture] = {}
    places: dict[tuple[str, bytes], list[str]] = {}
    for outcome in outcomes:
        for result in outcome.document.results if outcome.document else ():
            picture = outcome.pictures.get(result.label)
            if picture is None:
                continue
            key = (result.artifact.id, picture.tobytes())
            pictures[key] = picture
            where = result.label.removeprefix(f"{result.artifact.id} in ")
            places.setdefault(key, []).append(f"{where} on {outcome.device}")
    gallery = []
    for key, picture in pictures.items():
        golden = golden_of(bundle, *picture.shape[:2])
        teacher = images.read(bundle.file(golden.expected))
        name = golden.picture.rpartition("/")[2]
        scores = compare(teacher, picture)
        gallery.append(ReportPicture(key[0], name, teacher, picture, scores, "; ".join(places[key])))
    return gallery
