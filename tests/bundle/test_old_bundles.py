"""Bundles that earlier versions wrote are read, verified and played by today's code; see
``tests/data/bundles/README.md``.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from pocketlens import images, quality
from pocketlens.bundle import manifest
from pocketlens.bundle.choose import choose, playable
from pocketlens.bundle.load import load
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.verify import verify
from pocketlens.runtimes.adapter import RUNTIMES

FOLDER = Path(__file__).resolve().parents[1] / "data/bundles"
BUNDLES = sorted(path.name for path in FOLDER.glob("schema-*"))
RUNTIMES_HERE = [name for name, runtime in RUNTIMES.items() if not runtime.missing()]


def version(name: str) -> str:
    """The schema version in a bundle's name: ``schema-1.1-first.zip`` has 1.1."""
    return name.removeprefix("schema-")[:3]


def test_there_is_a_bundle_of_every_version() -> None:
    assert {version(name) for name in BUNDLES} == set(manifest.HISTORY)
    assert list(manifest.HISTORY)[-1] == manifest.SCHEMA


@pytest.mark.parametrize("name", BUNDLES)
def test_it_is_read_and_every_hash_holds(name: str) -> None:
    with open_bundle(FOLDER / name) as bundle:
        assert bundle.manifest.schema == version(name)
        bundle.check_hashes()
        assert bundle.unlisted() == []
        assert all(bundle.path_of(artifact).exists() for artifact in bundle.manifest.artifacts)
        assert (bundle.manifest.filter.license, bundle.manifest.verdict) == ("CC0-1.0", "pass")


@pytest.mark.parametrize("name", BUNDLES)
def test_it_is_verified_in_every_runtime(name: str) -> None:
    report = verify(FOLDER / name)
    assert report.verdict == "pass", report
    with open_bundle(FOLDER / name) as bundle:
        pairs = [(artifact, runtime) for artifact in bundle.manifest.artifacts for runtime in playable(artifact)]
    assert report.played == sum(runtime in RUNTIMES_HERE for _, runtime in pairs)


@pytest.mark.parametrize("name", BUNDLES)
def test_it_is_loaded_and_played(name: str) -> None:
    with open_bundle(FOLDER / name) as bundle:
        artifact, _ = choose(bundle.manifest)
        for golden in bundle.manifest.golden:
            picture, expected = (images.read(bundle.file(path)) for path in (golden.picture, golden.expected))
            with load(FOLDER / name, measure=False) as session:
                stylized = session(picture, style=golden.style or None)
                assert session.styles == bundle.manifest.io.styles
                assert session.resize == bundle.manifest.io.resize
            assert quality.psnr(expected, stylized) >= artifact.golden_psnr


def test_a_pack_of_before_blends_its_styles() -> None:
    picture = np.full((24, 32, 3), 90, np.uint8)
    with load(FOLDER / "schema-1.2.bundle", measure=False) as session:
        assert session.styles == ("ink", "oil")
        ink, oil, blended = (session(picture, style=style) for style in ("ink", "oil", {"ink": 1, "oil": 1}))
    assert not np.array_equal(ink, oil)
    assert not np.array_equal(blended, ink)


def test_what_a_version_lacked_has_a_default() -> None:
    first, last = (manifest.parse((FOLDER / f"schema-{v}.bundle/manifest.json").read_text()) for v in ("1.0", "1.3"))
    assert (first.risks, first.io.styles, first.io.resize) == ((), (), "stretch")
    assert {(a.rewrites, a.flicker, a.plan, a.scores.flip) for a in first.artifacts} == {((), None, None, None)}
    assert all(artifact.plan is not None and artifact.plan.rules for artifact in last.artifacts)
    assert {artifact.placements for artifact in last.artifacts} == {()}


def test_placements_come_back() -> None:
    text = (FOLDER / "schema-1.4.bundle/manifest.json").read_text()
    tflite = [artifact for artifact in manifest.parse(text).artifacts if artifact.target == "tflite"]
    assert tflite and {artifact.placements[0].status for artifact in tflite} == {"whole"}


@pytest.mark.parametrize("name", [name for name in BUNDLES if name.endswith(".bundle")])
def test_a_manifest_of_before_is_written_as_it_was(name: str) -> None:
    """Nothing that it says is lost on the way through today's classes, and nothing is put in its place."""
    text = (FOLDER / name / "manifest.json").read_text()
    before = json.loads(text)
    after = json.loads(manifest.parse(text).to_json())
    assert _kept(before, after) == before


def _kept(before: object, after: object) -> object:
    """The part of ``after`` that ``before`` has too."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: _kept(value, after[key]) for key, value in before.items()}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [_kept(a, b) for a, b in zip(before, after, strict=True)]
    return after
