"""Which artifact and runtime are the fastest on this machine, of those that may be chosen.

By the bundle's measurements where they are of a machine like this one, else by a short measurement of its own that is
cached, else by the order of preference.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketlens import files
from pocketlens.bundle.choose import by_preference, choose, in_floats, playable
from pocketlens.bundle.manifest import Artifact
from pocketlens.bundle.read import Bundle
from pocketlens.errors import PocketlensError
from pocketlens.machine import cores, cpu
from pocketlens.runtimes.adapter import RUNTIMES, Options
from pocketlens.runtimes.session import Session

_SECONDS, _WARM, _MOST = 0.25, 2, 6
_SAME = 1.05
"""Within this factor two are equally fast, and the order of preference decides."""
_MAX_BYTES = 64_000_000
Pair = tuple[Artifact, str]


@dataclass(frozen=True)
class ArtifactChoice:
    """What to open.

    Attributes:
        artifact: The artifact.
        runtime: The runtime.
        why: Lines that say why.
    """

    artifact: Artifact
    runtime: str
    why: tuple[str, ...]


def fastest(
    bundle: Bundle, runtime: str | None, identity: str | None, options: Options, measure: bool
) -> ArtifactChoice:
    """The fastest artifact and runtime; see the module.

    Only those compete that hold their gates as well as the best, and whose picture is as close to the teacher's: an 8-bit
    artifact competes with float ones only if it had gates to hold.

    Raises:
        InputError: There is no such runtime or artifact.
        MissingError: Nothing that was asked for can be played here.
    """
    preferred = choose(bundle.manifest, runtime, identity)
    pairs = _pairs(bundle, runtime, identity, preferred[0])
    if len(pairs) < 2:
        return ArtifactChoice(
            *preferred, (f"{preferred[0].id} in {preferred[1]}: nothing else fits that can be played here",)
        )
    known, where = _measured(bundle, pairs), "measured on a machine like this one, in the bundle"
    if len(known) < len(pairs) and measure:
        known, where = _own(bundle, pairs, options), "measured here"
    if not known:
        return ArtifactChoice(
            *preferred, (f"{preferred[0].id} in {preferred[1]}: the first in the order of preference",)
        )
    best = min(known.values())
    artifact, name = next((a, n) for a, n in pairs if known.get((a.id, n), np.inf) <= _SAME * best)
    lines = [f"{artifact.id} in {name}: the fastest, {where}"]
    lines += [f"  {i} in {n}: {ms:.1f} ms" for (i, n), ms in sorted(known.items(), key=lambda one: one[1])]
    return ArtifactChoice(artifact, name, tuple(lines))


def _pairs(bundle: Bundle, runtime: str | None, identity: str | None, preferred: Artifact) -> list[Pair]:
    def rank(artifact: Artifact) -> tuple[object, ...]:
        trusted = in_floats(artifact) or bool(artifact.gates)
        return artifact.verdict, (artifact.height, artifact.width), trusted

    able = [
        artifact
        for artifact in by_preference(bundle.manifest, bundle.manifest.artifacts)
        if (identity is None or artifact.id == identity) and rank(artifact) == rank(preferred)
    ]
    order = tuple(RUNTIMES) if runtime is None else (runtime,)
    return [
        (artifact, name)
        for name in order
        for artifact in able
        if name in playable(artifact)
        and not RUNTIMES[name].missing()
        and (not RUNTIMES[name].interpreted or name == runtime)
    ]


def _measured(bundle: Bundle, pairs: list[Pair]) -> dict[tuple[str, str], float]:
    """Median frame times in ms from the bundle's documents that were made on a machine like this one."""
    wanted = {(artifact.id, name) for artifact, name in pairs}
    found: dict[tuple[str, str], float] = {}
    for path in sorted((bundle.folder / "measurements").glob("*.json")):
        if path.is_symlink() or path.stat().st_size > _MAX_BYTES:
            continue
        # These lie outside the content and its hashes: whatever is wrong in one, it is passed over.
        try:
            document = json.loads(path.read_text("utf-8"))
            host = document["environment"]["host"]
            if (host["cpu"], host["cores"]) != (cpu(), cores()) or document["environment"].get("emulated"):
                continue
            for one in document["subjects"]:
                key = (one["artifact"], one["runtime"])
                if key in wanted and one.get("timing"):
                    frames = [ms for block in one["timing"]["rounds"] for ms in block["frame_ms"]]
                    found[key] = float(np.median(frames))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def _own(bundle: Bundle, pairs: list[Pair], options: Options) -> dict[tuple[str, str], float]:
    """Median frame times in ms, measured now or taken from the cache."""
    pairs = pairs[:_MOST]
    key = files.key_of(
        content=bundle.manifest.content_sha256,
        pairs=[[artifact.id, name, RUNTIMES[name].version()] for artifact, name in pairs],
        options=[options.threads, options.delegate, options.precision, options.device],
        machine=[cpu(), cores(), os.name],
    )

    def make(folder: Path) -> None:
        times = [[artifact.id, name, _time(bundle, artifact, name, options)] for artifact, name in pairs]
        (folder / "times.json").write_text(json.dumps(times))

    try:
        stored = json.loads((files.cached("choice", key, make) / "times.json").read_text())
    except PocketlensError:  # no room for a cache: it is measured each time
        stored = [[artifact.id, name, _time(bundle, artifact, name, options)] for artifact, name in pairs]
    return {(identity, name): ms for identity, name, ms in stored if ms is not None}


def _time(bundle: Bundle, artifact: Artifact, name: str, options: Options) -> float | None:
    try:
        path = bundle.path_of(artifact)
        with Session(RUNTIMES[name].open(path, options), name, path) as session:
            image = np.full((*session.size, 3), 127, np.uint8)
            for _ in range(_WARM):
                session(image)
            took: list[float] = []
            end = time.perf_counter() + _SECONDS
            while len(took) < 3 or time.perf_counter() < end:
                start = time.perf_counter()
                session(image)
                took.append(1000 * (time.perf_counter() - start))
        return float(np.median(took))
    except PocketlensError:  # it cannot be played here, or not with these options; another may
        return None
