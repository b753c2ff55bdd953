"""The bill of materials, CycloneDX 1.6: the generator, the artifacts and the libraries that made them."""

import json
from typing import Any

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from pocketlens.bundle.licensing import UNKNOWN
from pocketlens.bundle.manifest import Artifact, Manifest


def sbom(manifest: Manifest) -> str:
    """The document for a manifest that lists all its files. It is the same text for the same manifest."""
    bom = Bom(components=[*(_artifact(manifest, a) for a in manifest.artifacts), *_pictures(manifest)])
    for name, version in sorted(manifest.toolchain.items()):
        kind = "generic" if name == "python" else "pypi"
        url = PackageURL(kind, name=name.lower().replace("_", "-"), version=version)
        bom.components.add(
            Component(name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=f"library:{name}")
        )
    bom.metadata.component = _generator(manifest)
    bom.register_dependency(bom.metadata.component, bom.components)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    # Both are optional and differ each time: a random number and the time of day.
    del document["serialNumber"], document["metadata"]["timestamp"]
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _licenses(expression: str) -> list[License]:
    return [] if expression in UNKNOWN or not expression else [LicenseFactory().make_from_string(expression)]


def _sha256(digest: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]


def _generator(manifest: Manifest) -> Component:
    about = manifest.filter
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=about.name,
        version=about.version,
        description=about.description or None,
        copyright="; ".join(about.attribution) or None,
        hashes=_sha256(manifest.source.sha256),
        licenses=_licenses(about.license),
        bom_ref="generator",
    )


def _artifact(manifest: Manifest, artifact: Artifact) -> Component:
    files = manifest.files_of(artifact)
    single = set(files) == {artifact.path}
    inner = [] if single else [_file(name, digest) for name, digest in files.items()]
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=artifact.path,
        version=manifest.filter.version,
        hashes=_sha256(artifact.sha256) if single else None,
        licenses=_licenses(manifest.filter.license),
        properties=[
            Property(name="pocketlens:target", value=artifact.target),
            Property(name="pocketlens:precision", value=artifact.precision),
        ],
        components=inner,
        bom_ref=f"artifact:{artifact.id}",
    )


def _file(name: str, digest: str, license_: str = "") -> Component:
    return Component(
        type=ComponentType.FILE,
        name=name,
        hashes=_sha256(digest),
        licenses=_licenses(license_),
        bom_ref=f"file:{name}",
    )


def _pictures(manifest: Manifest) -> list[Component]:
    licences = {golden.picture: golden.license for golden in manifest.golden}
    licences |= {golden.expected: manifest.filter.license for golden in manifest.golden}
    return [_file(name, manifest.files[name], text) for name, text in sorted(licences.items())]
