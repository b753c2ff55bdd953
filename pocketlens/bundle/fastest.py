"""The fastest artifact and runtime on this machine.

The bundle's measurements decide where they were made on a machine like this one; else a short measurement, whose result
is cached; else the order of preference.
"""

import json
import os
import time
from pathlib import Path

import numpy as np

from pocketlens import files
from pocketlens.bundle.choose import by_preference, choose, in_floats, playable
from pocketlens.bundle.manifest import Artifact
from pocketlens.bundle.read import Bundle
from pocketlens.errors import PocketlensError
from pocketlens.machine import cores, cpu
from pocketlens.quick_dataclass import dataclass
from pocketlens.runtimes.adapter import RUNTIMES, Options
from pocketlens.runtimes.session import Session

_SECONDS, _WARM, _MOST = 0.25, 2, 6
_SAME = 1.05
"""Two times within this factor count as equal; then the order of preference decides."""
_MAX_BYTES = 64_000_000
Pair = tuple[Artifact, str]


@dataclass(frozen=True)
class ArtifactChoice:
    """An artifact and a runtime to open.

    Attributes:
        artifact: The artifact.
        runtime: The runtime.
        why: The reasons, as lines for people.
    """

    artifact: Artifact
    runtime: str
    why: tuple[str, ...]


def fastest(
    bundle: Bundle, runtime: str | None, identity: str | None, options: Options, measure: bool
) -> ArtifactChoice:
    """The fastest artifact and runtime; see the module.

    Only artifacts with the same verdict and size as the preferred one compete. A quantized artifact competes with float
    ones only if it has gates: without them nothing says that its picture is good enough.

    Raises:
        InputError: There is no such runtime or artifact.
        MissingError: No runtime that may be used is installed here.
    """
    preferred = choose(bundle.manifest, runtime, identity)
    pairs = _pairs(bundle, runtime, identity, preferred[0])
    if len(pairs) < 2:
        return ArtifactChoice(
            *preferred, (f"{preferred[0].id} in {preferred[1]}: nothing else fits that can be played here",)
        )
    times, origin = _from_measurements(bundle, pairs), "measured on a machine like this one, in the bundle"
    if len(times) < len(pairs) and measure:
        times, origin = _measure_here(bundle, pairs, options), "measured here"
    if not times:
        return ArtifactChoice(
            *preferred, (f"{preferred[0].id} in {preferred[1]}: the first in the order of preference",)
        )
    best = min(times.values())
    artifact, name = next((a, n) for a, n in pairs if times.get((a.id, n), np.inf) <= _SAME * best)
    lines = [f"{artifact.id} in {name}: the fastest, {origin}"]
    lines += [f"  {i} in {n}: {ms:.1f} ms" for (i, n), ms in sorted(times.items(), key=lambda item: item[1])]
    return ArtifactChoice(artifact, name, tuple(lines))


def _pairs(bundle: Bundle, runtime: str | None, identity: str | None, preferred: Artifact) -> list[Pair]:
    def rank(artifact: Artifact) -> tuple[object, ...]:
        trusted = in_floats(artifact) or bool(artifact.gates)
        return artifact.verdict, (artifact.height, artifact.width), trusted

    artifacts = [
        artifact
        for artifact in by_preference(bundle.manifest, bundle.manifest.artifacts)
        if (identity is None or artifact.id == identity) and rank(artifact) == rank(preferred)
    ]
    runtimes = tuple(RUNTIMES) if runtime is None else (runtime,)
    return [
        (artifact, name)
        for name in runtimes
        for artifact in artifacts
        if name in playable(artifact)
        and not RUNTIMES[name].missing()
        and (not RUNTIMES[name].interpreted or name == runtime)
    ]


def _from_measurements(bundle: Bundle, pairs: list[Pair]) -> dict[tuple[str, str], float]:
    """Median frame times in ms from the bundle's measurements that were made on a machine like this one."""
    wanted = {(artifact.id, name) for artifact, name in pairs}
    times: dict[tuple[str, str], float] = {}
    for path in sorted((bundle.folder / "measurements").glob("*.json")):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_BYTES:
            continue
        # Measurements are outside the content and its hashes: a document that cannot be read is skipped.
        try:
            document = json.loads(path.read_text("utf-8"))
            host = document["environment"]["host"]
            if (host["cpu"], host["cores"]) != (cpu(), cores()) or document["environment"].get("emulated"):
                continue
            for subject in document["subjects"]:
                key = (subject["artifact"], subject["runtime"])
                if key in wanted and subject.get("timing"):
                    frames = [ms for block in subject["timing"]["rounds"] for ms in block["frame_ms"]]
                    times[key] = float(np.median(frames))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return times


def _measure_here(bundle: Bundle, pairs: list[Pair], options: Options) -> dict[tuple[str, str], float]:
    """Median frame times in ms, measured now or taken from the cache."""
    pairs = pairs[:_MOST]
    key = files.key_of(
        content=bundle.manifest.content_sha256,
        pairs=[[artifact.id, name, RUNTIMES[name].version()] for artifact, name in pairs],
        options=[options.threads, options.accelerator, options.compute_precision],
        machine=[cpu(), cores(), os.name],
    )

    def make(folder: Path) -> None:
        times = [[artifact.id, name, _median_ms(bundle, artifact, name, options)] for artifact, name in pairs]
        (folder / "times.json").write_text(json.dumps(times))

    try:
        stored = json.loads((files.cached("choice", key, make) / "times.json").read_text())
    except PocketlensError:  # the cache cannot be written to: it is measured each time
        stored = [[artifact.id, name, _median_ms(bundle, artifact, name, options)] for artifact, name in pairs]
    return {(identity, name): ms for identity, name, ms in stored if ms is not None}


def _median_ms(bundle: Bundle, artifact: Artifact, name: str, options: Options) -> float | None:
    try:
        path = bundle.path_of(artifact)
        with Session(RUNTIMES[name].open(path, options), name, path) as session:
            image = np.full((*session.size, 3), 127, np.uint8)
            for _ in range(_WARM):
                session(image)
            times_ms: list[float] = []
            deadline = time.perf_counter() + _SECONDS
            while len(times_ms) < 3 or time.perf_counter() < deadline:
                start = time.perf_counter()
                session(image)
                times_ms.append(1000 * (time.perf_counter() - start))
        return float(np.median(times_ms))
    except PocketlensError:  # it cannot be played here, or not with these options; another may
        return None
