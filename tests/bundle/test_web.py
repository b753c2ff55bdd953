"""The page of a bundle, as a folder."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens import files
from pocketlens.bundle.manifest import FilterInfo
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.web import web_filter, write_web
from pocketlens.bundle.write import write
from pocketlens.errors import InputError
from pocketlens.recipe import Recipe
from pocketlens.web.folder import NAME
from tests.bundle.samples import artifact_entry
from tests.cli.calls import call


@pytest.fixture(scope="module")
def paged(spec: BundleSpec, emitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with TFLite files and a page."""
    entries = tuple(artifact_entry(emitted, "tflite", precision) for precision in ("fp16", "fp32", "w8", "int8"))
    about = FilterInfo("tint", "1.0", 'Turns <b>"colours"</b> & more.', "MIT", None, ("Made by the tests",), "")
    path = tmp_path_factory.mktemp("paged") / "tint.bundle"
    write(replace(spec, artifacts=spec.artifacts + entries, filter=about, web=True), path)
    return path


def test_it_is_part_of_the_content(paged: Path, tmp_path: Path) -> None:
    with open_bundle(paged) as bundle:
        bundle.check_hashes()
        assert not bundle.unlisted()
        assert "web/index.html" in bundle.manifest.files
    write_web(paged, tmp_path / "site")
    assert files.sha256(tmp_path / "site") == files.sha256(paged / "web")


def test_it_stands_alone(paged: Path) -> None:
    page = paged / "web"
    about = json.loads((page / NAME).read_text())
    for artifact in about["artifacts"]:
        assert files.sha256(page / artifact["path"]) == artifact["sha256"]
    assert about["play"]["webgpu"] == [f"tflite-{name}-48x64" for name in ("fp16", "fp32", "w8")]
    assert about["play"]["wasm"] == [f"tflite-{name}-48x64" for name in ("int8", "w8", "fp32", "fp16")]
    assert all((page / golden[key]).is_file() for golden in about["golden"] for key in ("picture", "expected"))
    shell = json.loads((page / "sw.js").read_text().split("const SHELL = ")[1].split(";\n")[0])
    assert all((page / name).exists() for name in shell)
    assert {path.name for path in page.glob("*.js")} - {"sw.js"} <= set(shell)


def test_texts_are_escaped(paged: Path) -> None:
    page = (paged / "web/index.html").read_text()
    assert "<b>" not in page and "&lt;b&gt;&quot;colours&quot;" in page and "{{" not in page
    assert json.loads((paged / "web/app.webmanifest").read_text())["description"] == 'Turns <b>"colours"</b> & more.'
    licenses = (paged / "web/LICENSES.txt").read_text()
    assert all(text in licenses for text in ("Made by the tests", "Apache License", "XNNPACK", "Permission is hereby"))


def test_its_version_follows_its_content(paged: Path, tmp_path: Path) -> None:
    first = (paged / "web/sw.js").read_bytes()
    write_web(paged, tmp_path / "a")
    assert (tmp_path / "a/sw.js").read_bytes() == first
    manifest = json.loads((paged / "manifest.json").read_text())
    manifest["filter"]["description"] = "Other."
    other = Path(shutil.copytree(paged, tmp_path / "other"))
    (other / "manifest.json").write_text(json.dumps(manifest))
    write_web(other, tmp_path / "b")
    assert (tmp_path / "b/sw.js").read_bytes() != first


def test_int8_is_last_where_nothing_judged_it(spec: BundleSpec, emitted: Path, tmp_path: Path) -> None:
    entries = tuple(replace(artifact_entry(emitted, "tflite", name), gates=()) for name in ("int8", "fp32"))
    write(replace(spec, artifacts=entries, web=True), tmp_path / "x.bundle")
    about = json.loads((tmp_path / "x.bundle/web" / NAME).read_text())
    assert about["play"]["wasm"] == ["tflite-fp32-48x64", "tflite-int8-48x64"]


def test_what_it_refuses(bundle: Path, paged: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no TFLite file that a browser plays"):
        write_web(bundle, tmp_path / "site")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("")
    with pytest.raises(InputError, match="is no page: it is not replaced"):
        write_web(paged, tmp_path / "mine")
    damaged = Path(shutil.copytree(paged, tmp_path / "damaged"))
    (damaged / "artifacts/tflite-w8-48x64.tflite").write_bytes(b"other")
    with pytest.raises(InputError, match="is not the file that was verified"):
        write_web(damaged, tmp_path / "site")
    assert not (tmp_path / "site").exists()
    with pytest.raises(InputError, match=r"bundle\.web needs a file that browsers play"):
        Recipe.parse("[filter]\nname = 'wave'\n[targets]\nonnx = ['fp32']\n[bundle]\nweb = true")


def test_a_licence_of_another_encoding_is_shown_all_the_same(paged: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(paged, tmp_path / "copy"))
    (copy / "LICENSES/LATIN.txt").write_bytes("Garçon".encode("latin-1"))
    with open_bundle(copy) as opened:
        assert "Gar\ufffdon" in web_filter(opened.manifest, opened.folder).licenses


def test_the_command(paged: Path, tmp_path: Path) -> None:
    done = call("web", paged, "-o", tmp_path / "site", "--json")
    assert json.loads(done.output)["files"] == len(files.files_under(tmp_path / "site"))
    assert "http.server" in call("web", paged, "-o", tmp_path / "site").output
    call("web", tmp_path / "nothing", "-o", tmp_path / "site", code=2)
