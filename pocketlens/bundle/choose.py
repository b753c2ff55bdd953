"""Which artifact of a bundle to play, and in which runtime, where the user does not say."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from pocketlens.bundle.manifest import Artifact, Manifest
from pocketlens.errors import InputError, MissingError
from pocketlens.precisions import PRECISIONS
from pocketlens.runtimes.adapter import RUNTIMES


def choose(manifest: Manifest, runtime: str | None = None, identity: str | None = None) -> tuple[Artifact, str]:
    """The artifact to open and its runtime.

    Args:
        manifest: The bundle's manifest.
        runtime: Only this runtime, or None for the first of :data:`RUNTIMES` that is usable here.
        identity: Only this artifact, or None for the best that the runtime plays; see :func:`by_preference`.

    Raises:
        InputError: There is no such runtime or artifact, or the runtime does not play the artifact.
        MissingError: No runtime that may be used is installed here.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise InputError(f"there is no runtime {runtime!r}", do=f"choose one of {', '.join(RUNTIMES)}")
    artifacts = by_preference(manifest, manifest.artifacts)
    if identity is not None:
        artifacts = [artifact for artifact in artifacts if artifact.id == identity]
        if not artifacts:
            ids = ", ".join(artifact.id for artifact in manifest.artifacts)
            raise InputError(f"the bundle has no artifact {identity!r}", do=f"choose one of {ids}")
    runtimes = tuple(RUNTIMES) if runtime is None else (runtime,)
    for name in runtimes:
        if not RUNTIMES[name].missing():
            for artifact in artifacts:
                if name in playable(artifact):
                    return artifact, name
    raise _cannot_play(artifacts, runtimes)


def playable(artifact: Artifact) -> list[str]:
    """The runtimes, installed or not, that play an artifact; runtimes that this version does not know are left out."""
    suffix = PurePosixPath(artifact.path).suffix
    return [name for name in artifact.runtimes if name in RUNTIMES and suffix in RUNTIMES[name].suffixes]


def in_floats(artifact: Artifact) -> bool:
    """Whether nothing in an artifact is quantized; a precision that is not known here counts as quantized."""
    return artifact.precision in PRECISIONS and not PRECISIONS[artifact.precision].is_low_bit


def by_preference(manifest: Manifest, artifacts: Iterable[Artifact]) -> list[Artifact]:
    """The artifacts, best first: those that pass their gates, then of the bundle's first size, in floats, with a small
    file.
    """

    def key(artifact: Artifact) -> tuple[bool, int, bool, int, str]:
        size = manifest.io.sizes.index((artifact.height, artifact.width))
        return artifact.verdict != "pass", size, not in_floats(artifact), artifact.bytes, artifact.id

    return sorted(artifacts, key=key)


def _cannot_play(artifacts: list[Artifact], runtimes: tuple[str, ...]) -> InputError | MissingError:
    reasons, installs = [], []
    for artifact in artifacts:
        players = [name for name in playable(artifact) if name in runtimes]
        problems = [f"{name}: {RUNTIMES[name].missing()}" for name in players]
        reasons.append(f"  {artifact.id}: {'; '.join(problems) or 'played by ' + ', '.join(artifact.runtimes)}")
        installs += [RUNTIMES[name].install for name in players if not RUNTIMES[name].platform]
    what = "\n".join([f"{runtimes[0] if len(runtimes) == 1 else 'nothing here'} cannot play it:", *reasons])
    others = ", ".join(sorted({name for artifact in artifacts for name in artifact.runtimes} - set(runtimes)))
    do = " or ".join(dict.fromkeys(installs)) or f"choose another runtime: {others}"
    fits = any(name in runtimes for artifact in artifacts for name in playable(artifact))
    return MissingError(what, do=do) if fits else InputError(what, do=do)
