"""Writes a bundle: the same bytes for the same spec, and a whole bundle or none."""

import dataclasses
import hashlib
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np

from pocketlens import files, images
from pocketlens.bundle import licensing, manifest, paths, web
from pocketlens.bundle.manifest import Artifact, FilterInfo, Golden, Io, Manifest
from pocketlens.bundle.render import notice, texts
from pocketlens.bundle.spec import ArtifactEntry, BundleSpec
from pocketlens.bundle.web import web_filter
from pocketlens.errors import InputError, require
from pocketlens.web.folder import write_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold. It is fixed, so that the same bundle gives the same zip."""


def write(spec: BundleSpec, path: Path) -> Manifest:
    """Write a bundle: a folder, or a zip where ``path`` ends in ``.zip``. A bundle that is there is replaced.

    Raises:
        InputError: The spec contradicts itself, its licence is no SPDX expression, ``path`` holds something that is no
            bundle, or cannot be written.
        MissingError: jinja2 or cyclonedx-python-lib, which render the texts, is not installed.
    """
    for library in ("jinja2", "cyclonedx"):
        require(library, "build")
    _check(spec)
    check_place(path)
    with files.whole(path) as part:
        folder = part.with_name(f"{part.name}.folder") if path.suffix == ".zip" else part
        folder.mkdir()
        written = _write_content(spec, folder)
        _write_measurements(folder, spec, written)
        if folder != part:
            _zip(folder, part)
    return written


def _write_measurements(folder: Path, spec: BundleSpec, written: Manifest) -> None:
    for name, text in sorted(spec.measurements.items()):
        file = f"{manifest.MEASUREMENTS}{name}.json"
        if paths.problem(file) or "/" in name:
            raise InputError(f"a measurement cannot be named {name!r}", do="use letters, digits, '-' and '_'")
        _put(folder, file, text)
    if spec.report is not None:
        _put(folder, manifest.REPORT, spec.report(written))


def _write_content(spec: BundleSpec, folder: Path) -> Manifest:
    for entry in spec.artifacts:
        _copy_artifact(entry, folder / entry.path)
    golden = _write_golden(spec, folder)
    _put(folder, "recipe.toml", spec.recipe)
    for name, text in sorted(spec.licenses.items()):
        _put(folder, f"LICENSES/{name}", text)
    listed = _hashes(folder)
    written = _manifest(spec, golden, listed, folder)
    from pocketlens.bundle.sbom import sbom

    for name, text in {
        **texts(written, web=spec.web),
        "LICENSES/NOTICE": notice(written),
        "sbom.cdx.json": sbom(written),
    }.items():
        _put(folder, name, text)
    if spec.web:
        write_folder(web_filter(written, folder), folder / web.FOLDER)
    written = dataclasses.replace(written, files=_hashes(folder))
    manifest.check(written)
    _put(folder, manifest.NAME, written.to_json())
    return written


def _put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _hashes(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): files.sha256(p) for p in files.files_under(folder)}


def _copy_artifact(entry: ArtifactEntry, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    for part in files.artifact_files(entry.file):
        files.copy(part, target.with_name(target.name.removesuffix(target.suffix) + part.suffix))


def _write_golden(spec: BundleSpec, folder: Path) -> tuple[Golden, ...]:
    written = []
    (folder / "golden").mkdir()
    for i, golden in enumerate(spec.golden):
        height, width = golden.picture.shape[:2]
        names = [f"golden/{kind}_{i:02}_{height}x{width}.png" for kind in ("in", "out")]
        for name, picture in zip(names, (golden.picture, golden.expected), strict=True):
            (folder / name).write_bytes(images.png(picture))
        written.append(Golden(names[0], names[1], height, width, golden.source, golden.license, golden.style))
    return tuple(written)


def _manifest(spec: BundleSpec, golden: tuple[Golden, ...], listed: dict[str, str], folder: Path) -> Manifest:
    artifacts = tuple(_artifact(entry, listed, folder) for entry in spec.artifacts)
    return Manifest(
        schema=manifest.SCHEMA,
        filter=_filter(spec.filter),
        source=spec.source,
        io=Io(
            sizes=tuple(dict.fromkeys((a.height, a.width) for a in artifacts)),
            resize=spec.resize,
            styles=spec.styles,
            factor=spec.factor,
            second=spec.second,
            states=spec.states,
            alpha=spec.alpha,
        ),
        artifacts=artifacts,
        golden=golden,
        verdict=manifest.verdict(tuple(gate for artifact in artifacts for gate in artifact.gates)),
        recipe_sha256=hashlib.sha256(spec.recipe.encode()).hexdigest(),
        toolchain=dict(spec.toolchain),
        files=listed,
        risks=spec.risks,
        failed=spec.failed,
    )


def _artifact(entry: ArtifactEntry, listed: dict[str, str], folder: Path) -> Artifact:
    spec = entry.spec
    return Artifact(
        id=spec.id,
        target=spec.target,
        precision=spec.precision,
        height=spec.size[0],
        width=spec.size[1],
        path=entry.path,
        bytes=sum((folder / name).stat().st_size for name in manifest.files_of(entry.path, listed)),
        sha256=manifest.digest(entry.path, listed),
        layout=spec.layout,
        dtype=spec.dtype,
        runtimes=spec.format.runtimes,
        min_os=spec.min_os,
        min_runtime=entry.min_runtime,
        scores=entry.scores,
        verified_with=entry.verified_with,
        golden_psnr=entry.golden_psnr,
        gates=entry.gates,
        rewrites=entry.rewrites,
        flicker=entry.flicker,
        styles=dict(entry.styles),
        plan=entry.plan,
        placements=entry.placements,
        note=entry.note,
    )


def _filter(unchecked: FilterInfo) -> FilterInfo:
    allowed = licensing.commercial_use(unchecked.license)
    if unchecked.commercial_use and allowed is False:
        raise InputError(f"commercial_use is true, but {unchecked.license} forbids it", do="correct the licence")
    use = allowed if unchecked.commercial_use is None else unchecked.commercial_use
    return dataclasses.replace(unchecked, license=licensing.check(unchecked.license), commercial_use=use)


def _check(spec: BundleSpec) -> None:
    # These names appear in file names and in code that people paste, so only harmless characters are allowed.
    for field, text in (("name", spec.filter.name), ("version", spec.filter.version)):
        if not _NAME.fullmatch(text):
            raise InputError(f"the filter's {field} is {text!r}", do="use letters, digits, space, '.', '_' and '-'")
    for name in spec.styles:
        if not _NAME.fullmatch(name) or "=" in name or "," in name:
            raise InputError(f"a style is called {name!r}", do="use letters, digits, space, '.', '_' and '-'")
    for name in spec.licenses:
        if paths.problem(name) or "/" in name or name == "NOTICE":
            raise InputError(f"a licence text cannot be named {name!r}", do="name it after its SPDX id: MIT.txt")
    if not spec.artifacts:
        raise InputError("there is no artifact to bundle", do="choose a target in the recipe")
    for entry in spec.artifacts:
        _check_entry(entry, spec)
    ids = sorted(entry.spec.id for entry in spec.artifacts)
    if len(set(ids)) < len(ids):
        raise InputError(
            f"two artifacts have the same target, precision and size: {', '.join(ids)}", do="remove one of them"
        )
    for i, golden in enumerate(spec.golden):
        for picture in (golden.picture, golden.expected):
            channels = (3, 4) if spec.alpha and picture is golden.expected else (3,)
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in channels:
                form = f"{picture.dtype} {list(picture.shape)}"
                raise InputError(
                    f"golden picture {i} is {form}, expected uint8 [H, W, 3]", do="read it with images.read"
                )
        sizes = golden.picture.shape[:2], golden.expected.shape[:2]
        if images.size_factor(*sizes) != spec.factor:
            raise InputError(
                f"golden picture {i} is {sizes[0]}, the teacher's {sizes[1]}, and the factor {spec.factor:g}",
                do="resize one of them",
            )


def _check_entry(entry: ArtifactEntry, spec: BundleSpec) -> None:
    if entry.file.suffix != entry.spec.format.suffix:
        expected = f"{entry.spec.format.title} files end in {entry.spec.format.suffix}"
        raise InputError(f"{entry.file} cannot be {entry.spec.id}: {expected}", do="use the file that was emitted")
    for part in files.artifact_files(entry.file):
        if not part.exists():
            raise InputError(f"{part} does not exist", do="emit the artifact first")
    if not any(golden.picture.shape[:2] == entry.spec.size for golden in spec.golden):
        raise InputError(
            f"no golden picture is {entry.spec.size}, the size of {entry.spec.id}",
            do="add a golden picture of each size",
        )


def check_place(path: Path) -> None:
    """Refuse to replace anything that is not a bundle."""
    if path.suffix == ".zip":
        replaceable = not path.exists() or _is_packed_bundle(path)
    elif path.is_dir():
        replaceable = (path / manifest.NAME).is_file() or not any(path.iterdir())
    else:
        replaceable = not path.exists()
    if not replaceable:
        raise InputError(f"{path} is there and is not a bundle: it is not replaced", do="choose another name")


def _is_packed_bundle(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return manifest.NAME in archive.namelist()


def _zip(folder: Path, target: Path) -> None:
    """Pack a folder: stored, sorted, with fixed times and permissions. Deflate differs between versions of zlib."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in files.files_under(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_TIME)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=False) as packed:
                shutil.copyfileobj(source, packed)
