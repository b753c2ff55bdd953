"""``inspect --accelerators``: how the accelerators that can be asked here compute a bundle's artifacts, or one file."""

from pathlib import Path

from pocketlens import accelerators, images
from pocketlens.accelerators import Request
from pocketlens.bundle.manifest import Artifact
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.errors import InputError, MissingError
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.placement import ACCELERATORS, Placement
from pocketlens.precisions import PRECISIONS
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS

_USUAL = [accelerator for accelerator in ACCELERATORS.values() if accelerator.mode != "off"]
"""Those that a build asks too where its recipe does not say: the others take minutes."""


def place_bundle(path: Path) -> dict[str, tuple[Placement, ...]]:
    """Artifact → its placements, asked anew on this machine; dB against a golden picture.

    Raises:
        InputError: The bundle is damaged.
    """
    with open_bundle(path) as bundle:
        return {artifact.id: _place_artifact(bundle, artifact) for artifact in bundle.manifest.artifacts}


def place_file(path: Path) -> dict[str, tuple[Placement, ...]]:
    """The placements of one artifact, whoever made it. dB beside what the processor makes of a picture that ships;
    without dB where the file's input is no picture.

    Raises:
        InputError: No accelerator is asked about such files, or the file is damaged.
    """
    asked = [a for a in _USUAL if any(TARGETS[name].suffix == path.suffix for name in a.targets)]
    if not asked:
        known = sorted({TARGETS[name].suffix for a in _USUAL for name in a.targets})
        raise InputError(
            f"no accelerator is asked about {path.name}", do=f"give a bundle, or one of {', '.join(known)}"
        )
    if not path.exists():
        raise InputError(f"{path} does not exist", do="check the path")
    request, expected = Request(path), None
    try:
        with open_artifact(path, exact=True) as session:
            picture = read_eval_set(None, *session.size).pictures[0]
            expected = session.floats(picture)
            request = Request(path, picture)
    except (InputError, MissingError):  # it takes something else than a picture, or no runtime here plays it
        pass
    floor = min(precision.floors.file for precision in PRECISIONS.values())  # nobody says which precision it is in
    return {path.name: tuple(accelerators.place(a.name, request, expected, floor) for a in asked)}


def _place_artifact(bundle: Bundle, artifact: Artifact) -> tuple[Placement, ...]:
    asked = [accelerator for accelerator in _USUAL if artifact.target in accelerator.targets]
    path = bundle.path_of(artifact)
    fitting = [g for g in bundle.manifest.golden if (g.height, g.width) == (artifact.height, artifact.width)]
    request, expected = Request(path), None
    if asked and fitting:
        golden, styles = fitting[0], bundle.manifest.io.styles
        style = tuple(float(name == golden.style) for name in styles) if styles else None
        request = Request(path, images.read(bundle.file(golden.picture)), style)
        expected = images.read(bundle.file(golden.expected)).astype("float32")
    floors = PRECISIONS[artifact.precision].floors if artifact.precision in PRECISIONS else None
    floor = min(artifact.golden_psnr, floors.teacher or floors.file) if floors else artifact.golden_psnr
    return tuple(accelerators.place(accelerator.name, request, expected, floor) for accelerator in asked)
