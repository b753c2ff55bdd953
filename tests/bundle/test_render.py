"""The Python snippets are run. For Kotlin and Swift there is no compiler: their brackets, names and sizes are
checked.
"""

import ast
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketlens import images, quality
from pocketlens.bundle.render import class_name
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.targets import ArtifactSpec
from tests.bundle.samples import SIZE, artifact_entry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def full(full_spec: BundleSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "tint.bundle"
    write(full_spec, folder)
    return folder


@pytest.fixture(scope="module")
def compiled(full_spec: BundleSpec, emitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with files for two chips and one of Core AI, stand-ins that are only copied."""
    entry = replace(artifact_entry(emitted, "qnn", "fp16"), file=emitted / "compiled.onnx")
    chips = (replace(entry, spec=ArtifactSpec("qnn", "fp16", SIZE, chip)) for chip in ("sm8650", "sm8750"))
    folder = tmp_path_factory.mktemp("compiled") / "tint.bundle"
    apple = replace(artifact_entry(emitted, "coreai", "fp16"), file=emitted / "compiled.aimodel")
    write(replace(full_spec, artifacts=(*full_spec.artifacts, *chips, apple)), folder)
    return folder


@pytest.mark.parametrize("name", ["with_pocketlens.py", "with_onnxruntime.py"])
def test_python_snippet_paints_what_the_teacher_paints(bundle: Path, tmp_path: Path, name: str) -> None:
    snippet = bundle / "snippets/python" / name
    ast.parse(snippet.read_text())
    subprocess.run([sys.executable, snippet], check=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    expected = images.read(bundle / "golden/out_00_48x64.png")
    assert quality.psnr(expected, images.read(tmp_path / "stylized.png")) > 45
    large = tmp_path / "large.jpg"
    Image.fromarray(images.resize(expected, 90, 130)).save(large)
    subprocess.run([sys.executable, snippet, large, "out.png"], check=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert images.read(tmp_path / "out.png").shape == (90, 130, 3)


def test_a_target_that_is_not_there_has_no_snippet(bundle: Path, full: Path, spec: BundleSpec, tmp_path: Path) -> None:
    def snippets(folder: Path) -> list[str]:
        return sorted(p.name for p in (folder / "snippets").rglob("*.*"))

    assert snippets(bundle) == ["with_onnxruntime.py", "with_pocketlens.py"]
    assert snippets(full) == ["TintFilter.kt", "TintFilter.swift", "with_onnxruntime.py", "with_pocketlens.py"]
    write(replace(spec, artifacts=spec.artifacts[1:]), tmp_path / "only-openvino")
    assert snippets(tmp_path / "only-openvino") == ["with_pocketlens.py"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (
            "snippets/android/TintFilter.kt",
            ['"tflite-fp16-48x64.tflite"', "HEIGHT = 48", "WIDTH = 64", "litert:litert:"],
        ),
        (
            "snippets/ios/TintFilter.swift",
            ['"coreml-fp16-48x64"', "height = 48", "width = 64", '"image"', '"stylized"'],
        ),
        (
            "snippets/ios/TintFilterCoreAI.swift",
            ['"coreai-fp16-48x64"', "height = 48", "width = 64", 'for: "image"', 'remove("stylized")', '"main"'],
        ),
        (
            "snippets/android/TintFilterNpu.kt",
            ['listOf("sm8650", "sm8750")', '"qnn-fp16-48x64"', "HEIGHT = 48", "WIDTH = 64", '"image" to', "_fallback"],
        ),
    ],
)
def test_app_snippets_are_balanced_and_filled_in(compiled: Path, path: str, names: list[str]) -> None:
    text = (compiled / path).read_text()
    assert [name for name in names if name not in text] == []
    assert not re.search(r"\{\{|\}\}|\{%|%\}|\bNone\b|Undefined", text)
    assert all(len(line) <= 120 for line in text.splitlines())
    code = re.sub(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"', "", text, flags=re.DOTALL)
    closes, open_now = {")": "(", "]": "[", "}": "{"}, []
    for letter in code:
        if letter in closes.values():
            open_now.append(letter)
        elif letter in closes:
            assert open_now.pop() == closes[letter]
    assert open_now == []


@pytest.mark.parametrize("name", ["TintFilter", "TintFilterNpu"])
def test_every_kotlin_class_is_imported(compiled: Path, name: str) -> None:
    text = (compiled / f"snippets/android/{name}.kt").read_text()
    imported = set(re.findall(r"^import \S+\.(\w+)$", text, re.MULTILINE))
    known = imported | {name, "AutoCloseable", "Int", "IntArray", "Float", "FloatArray", "Config", "Boolean"}
    used = set(
        re.findall(
            r"(?<![\w.\"/])([A-Z][a-z]\w+)", re.sub(r"//[^\n]*|/\*.*?\*/|^import.*$|\"[^\"]*\"", "", text, flags=re.M)
        )
    )
    assert used - known - {"Options", "MapMode", "SessionOptions"} == set()
    assert imported - used - {"roundToInt"} == set()


def test_kotlin_hands_over_bytes_where_the_artifact_takes_them(full_spec: BundleSpec, tmp_path: Path) -> None:
    int8 = replace(full_spec.artifacts[2], spec=ArtifactSpec("tflite", "int8", SIZE))
    write(replace(full_spec, artifacts=(int8,)), tmp_path / "b")
    text = (tmp_path / "b/snippets/android/TintFilter.kt").read_text()
    assert text.startswith("// ") and "ByteArray" in text and ".toByte()" in text
    assert not re.search(r"float|ByteOrder|roundToInt|\{%|\* 4", text, re.IGNORECASE)


@pytest.mark.parametrize("name", ["wave", "la_muse", "8-bit look", "a.b-c_d"])
def test_class_names_are_identifiers(name: str) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z0-9]*Filter", class_name(name))


def test_snippets_take_the_best_artifact(spec: BundleSpec, full_spec: BundleSpec, tmp_path: Path) -> None:
    onnx = spec.artifacts[0]
    missed = replace(onnx, spec=ArtifactSpec("onnx", "w8", SIZE), gates=(replace(onnx.gates[0], verdict="fail"),))
    write(replace(spec, artifacts=(missed, onnx)), tmp_path / "b")
    assert "onnx-fp32-48x64.onnx" in (tmp_path / "b/snippets/python/with_onnxruntime.py").read_text()


def test_readme_links_lead_somewhere(full: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", (full / "README.md").read_text())
    assert len(links) == 4
    assert all((full / link).is_file() for link in links)
    assert "have not been run on an Apple device" in (full / "README.md").read_text()


def test_the_readme_names_the_chip_that_a_file_needs(compiled: Path, full: Path) -> None:
    (row,) = (line for line in (compiled / "README.md").read_text().splitlines() if "-sm8750.onnx`" in line)
    assert row.endswith("| Snapdragon 8 Elite |")
    assert "Snapdragon" not in (full / "README.md").read_text()


def test_golden_pictures_are_the_drafts(bundle: Path, spec: BundleSpec) -> None:
    assert np.array_equal(images.read(bundle / "golden/in_01_48x64.png"), spec.golden[1].picture)
    assert images.read(bundle / "golden/in_01_48x64.png").shape[:2] == SIZE
