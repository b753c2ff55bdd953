import json
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write


@pytest.mark.parametrize("license_", ["MIT", "MIT OR Apache-2.0", "LicenseRef-mine", "unknown"])
def test_it_is_cyclonedx_1_6(full_spec: BundleSpec, tmp_path: Path, license_: str) -> None:
    write(replace(full_spec, filter=replace(full_spec.filter, license=license_)), tmp_path / "b")
    text = (tmp_path / "b/sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert "serialNumber" not in text
    assert "timestamp" not in text


def test_it_names_generator_artifacts_libraries_and_hashes(full_spec: BundleSpec, tmp_path: Path) -> None:
    manifest = write(full_spec, tmp_path / "b")
    document = json.loads((tmp_path / "b/sbom.cdx.json").read_text())
    generator = document["metadata"]["component"]
    assert (generator["name"], generator["type"]) == ("tint", "machine-learning-model")
    assert generator["licenses"] == [{"license": {"id": "MIT"}}]
    parts = {part["name"]: part for part in document["components"]}
    assert {artifact.path for artifact in manifest.artifacts} <= set(parts)
    assert parts["ai_edge_litert"]["purl"] == "pkg:pypi/ai-edge-litert@2.3.0"
    hashes = {
        part["name"]: part["hashes"][0]["content"]
        for top in document["components"]
        for part in (top, *top.get("components", []))
        if "hashes" in part
    }
    assert {name: manifest.files[name] for name in hashes} == hashes
    assert {name for name in manifest.files if name.startswith(("artifacts/", "golden/"))} == set(hashes)
