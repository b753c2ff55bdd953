"""``load``: from a bundle, or one artifact, to a session that plays it here."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from pocketlens.bundle.choose import choose, playable
from pocketlens.bundle.fastest import fastest
from pocketlens.bundle.manifest import Artifact
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.errors import InputError
from pocketlens.runtimes.adapter import RUNTIMES, Options, Player, runtime_for
from pocketlens.runtimes.pixels import PIXELS, ValueRange
from pocketlens.runtimes.resizing import RESIZES, Resize
from pocketlens.runtimes.session import Session


def load(
    source: Path | str | Bundle,
    runtime: str | None = None,
    threads: int | None = None,
    artifact: str | None = None,
    *,
    accelerator: str | None = None,
    compute_precision: str | None = None,
    resize: str | None = None,
    measure: bool = True,
    input_range: ValueRange | None = None,
    output_range: ValueRange | None = None,
) -> Session:
    """Open a bundle, or one artifact, ready to take pictures.

    From a bundle it opens the fastest artifact that passes its gates, in the fastest runtime. The bundle's measurements
    decide where they were made on a machine like this one; else a measurement of one or two seconds, whose result is
    cached. See :func:`pocketlens.bundle.choose.choose`; :meth:`~pocketlens.Session.explain` gives the reasons. If the
    bundle has the artifact in several sizes, a picture is played at the smallest size that covers it.

    Example:
        >>> with load("wave.bundle") as session:
        ...     session(picture).shape
        (32, 48, 3)

    Args:
        source: A bundle (folder, zip or opened), or an ``.onnx``, ``.xml``, ``.tflite``, ``.mlpackage`` or
            ``.aimodel``.
        runtime: Only this one: ``onnxruntime``, ``openvino``, ``litert``, ``coreml`` or ``mil``.
        threads: Number of threads, or None for the runtime's own choice.
        artifact: Only this one, by its id in the manifest.
        accelerator: What computes: ``cpu``, ``gpu``, ``npu`` or ``auto``, or a name of the runtime's own, for instance
            ``xnnpack``.
        compute_precision: The arithmetic's, where the runtime can choose: ``fp32``, ``fp16``, ``bf16`` or ``auto``.
        resize: How a picture of another size is made to fit: ``stretch``, ``fit``, ``crop`` or ``tile``; None for the
            bundle's own setting.
        measure: Whether to measure where the bundle has no measurements; if not, the order of preference decides.
        input_range: Of an artifact that somebody else made: the values that it takes for black and white; None for
            0..255, or what its scale implies. A bundle's artifacts need none.
        output_range: The values that it gives for black and white; None for those of ``input_range``.

    Raises:
        InputError: There is no such file, it is damaged or altered, or it holds no such artifact.
        MissingError: Nothing in it can be played here; the message says why for each.
    """
    ranged = not {input_range, output_range} <= {None, PIXELS}
    options = Options(threads, accelerator, compute_precision, pixels=not ranged, keep_compiled=True)
    if ranged and (isinstance(source, Bundle) or not _is_artifact(Path(source))):
        raise InputError("a bundle's artifacts take and give 0..255", do="leave the ranges out")
    if isinstance(source, Bundle):
        return _from_bundle(source, runtime, options, artifact, resize, measure)
    path = Path(source)
    if _is_artifact(path):
        if artifact is not None:
            raise InputError(f"{path} is one artifact, not a bundle", do="leave the artifact's id out")
        chosen = runtime_for(path, runtime)
        again = functools.partial(chosen.open, path, options)
        return Session(
            again(), chosen.name, path, again=again,
            values=input_range, output_values=output_range, resize=_policy(resize or "stretch"),
        )  # fmt: skip
    bundle = open_bundle(path)
    try:
        session = _from_bundle(bundle, runtime, options, artifact, resize, measure)
    except BaseException:
        bundle.close()
        raise
    session.keep(bundle)
    return session


def _is_artifact(path: Path) -> bool:
    return path.suffix in {suffix for runtime in RUNTIMES.values() for suffix in runtime.suffixes}


def open_in(
    bundle: Bundle,
    artifact: Artifact,
    runtime: str,
    options: Options | int | None = None,
    *,
    resize: str = "stretch",
    why: Sequence[str] = (),
    also: Sequence[Artifact] = (),
) -> Session:
    """Open one artifact of a bundle in one runtime, after its hashes have been checked.

    Args:
        bundle: The bundle that holds it.
        artifact: The artifact to open now.
        runtime: The name of the runtime that plays it.
        options: How to play it; a number stands for the threads alone.
        resize: How a picture of another size is made to fit.
        why: What :meth:`~pocketlens.Session.explain` says of the choice.
        also: The same artifact in other sizes; each is opened when a picture needs it.

    Raises:
        InputError: The artifact is altered, cannot be loaded, or is not of the size or styles that the manifest says.
        MissingError: The runtime cannot be used here.
    """

    def opener(other: Artifact) -> Callable[[], Player]:
        return lambda: RUNTIMES[runtime].open(bundle.path_of(other), options)

    again = opener(artifact)
    session = Session(
        again(),
        runtime,
        bundle.path_of(artifact),
        again=again,
        resize=_policy(resize),
        why=why,
        others={(other.height, other.width): opener(other) for other in also},
        styles=bundle.manifest.io.styles,
        origin=bundle.manifest.filter.origin,
    )
    if session.style_count != len(bundle.manifest.io.styles):
        session.close()
        raise InputError(
            f"{artifact.id} has {session.style_count or 1} styles, its manifest names "
            f"{len(bundle.manifest.io.styles) or 1}",
            do="build the bundle again",
        )
    if session.size != (artifact.height, artifact.width):
        session.close()
        expected = f"{artifact.height} x {artifact.width}"
        raise InputError(
            f"{artifact.id} computes at {session.size[0]} x {session.size[1]}, its manifest says {expected}",
            do="build the bundle again",
        )
    return session


def _from_bundle(
    bundle: Bundle, runtime: str | None, options: Options, identity: str | None, resize: str | None, measure: bool
) -> Session:
    manifest = bundle.manifest
    chosen, name, why = choose(manifest, runtime, identity), "", []
    if runtime is None or identity is None:
        choice = fastest(bundle, runtime, identity, options, measure)
        chosen, why = (choice.artifact, choice.runtime), list(choice.why)
    artifact, name = chosen
    also = [
        other
        for other in manifest.artifacts
        if identity is None
        and (other.target, other.precision) == (artifact.target, artifact.precision)
        and other.id != artifact.id
        and name in playable(other)
    ]
    return open_in(bundle, artifact, name, options, resize=resize or manifest.io.resize, why=why, also=also)


def _policy(resize: str) -> Resize:
    for policy in RESIZES:
        if policy == resize:
            return policy
    raise InputError(f"there is no resize {resize!r}", do=f"choose from {', '.join(RESIZES)}")
