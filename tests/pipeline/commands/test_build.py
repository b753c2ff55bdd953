"""The main job: a generator in, a verified bundle out; the same bytes every time; nothing half-written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch

import pocketlens
from pocketlens import files, images
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import Document
from pocketlens.errors import InputError, VerificationError
from pocketlens.pipeline.commands import build
from pocketlens.recipe import Recipe
from tests.bench.cases import QUICK
from tests.bench.samples import blocks_of, document, result
from tests.generators import Small, picture, seeded

RECIPE = """
[filter]
name = "small"
sizes = [[32, 48]]
license = "MIT"
attribution = ["Somebody"]

[pictures]
judge = "judge"

[accelerators]
litert_gpu = "off"
[targets]
onnx = ["fp32"]
openvino = ["fp16"]
tflite = ["fp32"]

[gate]
psnr = 45
"""
EVERY_TARGET = RECIPE.replace('onnx = ["fp32"]', 'onnx = ["fp32", "fp16"]\ncoreml = ["fp16"]')


@pytest.fixture(autouse=True)
def quick_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here is that files are measured, not how long they take."""
    monkeypatch.setattr(build, "BenchmarkSettings", lambda: QUICK)


@pytest.fixture()
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "judge").mkdir()
    for seed in range(2):
        images.write(tmp_path / f"judge/{seed}.png", picture(40, 50, seed))
    (tmp_path / "small.toml").write_text(RECIPE)
    return tmp_path / "small.toml"


def test_module_to_bundle(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(EVERY_TARGET)
    made = pocketlens.build(recipe, tmp_path / "a.bundle", generator=seeded())
    assert made.verdict == "pass"
    assert {a.id for a in made.manifest.artifacts} == {
        "onnx-fp32-32x48", "onnx-fp16-32x48", "openvino-fp16-32x48", "tflite-fp32-32x48", "coreml-fp16-32x48",
    }  # fmt: skip
    assert made.document is not None
    timed = {r.artifact.id: r for r in made.document.results}
    assert all(r.failure is None and r.skipped is None for r in timed.values())
    assert all(timed[a].blocks for a in timed if not a.startswith("coreml"))
    report = (made.path / "report.html").read_text()
    assert "coreml-fp16-32x48" in report and 'src="http' not in report
    verified = pocketlens.verify(made.path)
    assert verified.verdict == "pass", verified
    teacher = made.path / made.manifest.golden[0].expected
    with pocketlens.load(made.path) as session:
        stylized = session(images.read(made.path / made.manifest.golden[0].picture))
    assert np.abs(stylized.astype(int) - images.read(teacher).astype(int)).max() <= 2


def test_same_inputs_give_the_same_bytes_but_for_measurements(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe.write_text(EVERY_TARGET)
    made = []
    for name in ("a", "b"):
        monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / f"cache-{name}"))
        made.append(pocketlens.build(recipe, tmp_path / name, generator=seeded(), bench=name == "a").path)
    listed = [{p.relative_to(path).as_posix(): files.sha256(p) for p in files.files_under(path)} for path in made]
    outside = {"report.html", "measurements/local.json"}
    assert outside <= set(listed[0])
    assert {k: v for k, v in listed[0].items() if k not in outside} == {
        k: v for k, v in listed[1].items() if k not in outside
    }


def test_integers_that_are_slower_here_are_left_out(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, text = blocks_of(*[[40.0, 41.0, 40.5]] * 6), RECIPE.partition("[targets]")[0].replace("psnr = 45", "")

    def measured(cases: list[BenchmarkCase], *_: object) -> Document:
        fast = blocks_of(*[[4.0, 4.1, 4.05]] * 6)
        timed = ((case, slow if case.precision == "int8" else fast) for case in cases)
        return document(*(result(blocks, artifact=case.artifact, precision=case.precision) for case, blocks in timed))

    monkeypatch.setattr(build, "measure", measured)
    for keep in (False, True):
        recipe.write_text(f'{text}[targets]\nonnx = ["fp32", "int8"]\n[bundle]\nkeep_slower = {str(keep).lower()}\n')
        made = pocketlens.build(recipe, tmp_path / "a.bundle", generator=seeded())
        assert ("onnx-int8-32x48" in {artifact.id for artifact in made.manifest.artifacts}) is keep
        assert ("onnx-int8-32x48" in made.left_out) is not keep
        report = (made.path / "report.html").read_text()
        assert ("Left out" in report) is not keep and "does not pay here: 0.1 times as fast" in report
        assert "does not pay" in (made.path / "measurements/worth.json").read_text()


def test_zip_holds_the_same_content(recipe: Path, tmp_path: Path) -> None:
    folder = pocketlens.build(recipe, tmp_path / "a.bundle", generator=seeded(), bench=False)
    packed = pocketlens.build(recipe, tmp_path / "a.zip", generator=seeded(), bench=False)
    assert packed.manifest == folder.manifest
    with pocketlens.load(tmp_path / "a.zip") as session:
        assert session(picture(32, 48)).shape == (32, 48, 3)


def test_missed_gate_writes_the_bundle_and_says_fail(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("psnr = 45", "psnr = 900"))
    made = pocketlens.build(recipe, tmp_path / "a.bundle", generator=seeded(), bench=False)
    assert made.verdict == "fail"
    manifest = json.loads((made.path / "manifest.json").read_text())
    assert manifest["verdict"] == "fail"
    assert pocketlens.verify(made.path).verdict == "pass"


def test_missed_budget_says_fail(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE + "\n[budget]\nframe_ms = 0.0001\n")
    made = pocketlens.build(recipe, tmp_path / "a.bundle", generator=seeded())
    assert made.verdict == "fail" and made.manifest.verdict == "pass"


@pytest.fixture()
def wrong_onnx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ONNX's emitter writes another network's weights: the file loads and runs, and must not reach a bundle."""
    from pocketlens.converters import onnx

    right = onnx.emit

    def wrong(model, precision, labels, path):  # type: ignore[no-untyped-def]
        model = model.clone()
        for value in model.graph.initializers.values():
            if value.const_value.size > 100:
                value.const_value = ir.tensor(value.const_value.numpy()[::-1].copy(), name=value.name)
        right(model, precision, labels, path)

    monkeypatch.setattr(onnx, "emit", wrong)
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("wrong_onnx")
def test_a_wrong_file_is_left_out_and_named_everywhere(recipe: Path, tmp_path: Path) -> None:
    told: list[str] = []
    made = pocketlens.build(
        recipe,
        tmp_path / "a.bundle",
        generator=seeded(),
        bench=False,
        notify=lambda what, done, total: told.append(what),
    )
    assert made.verdict == "fail" and made.manifest.verdict == "pass"
    assert [a.id for a in made.manifest.artifacts] == ["openvino-fp16-32x48", "tflite-fp32-32x48"]
    (failed,) = made.manifest.failed
    assert failed.id == "onnx-fp32-32x48" and "onnx-fp32-32x48.onnx is wrong" in failed.reason and failed.do
    assert any(what.startswith("onnx-fp32-32x48 failed: ") for what in told)
    assert not list(made.path.glob("artifacts/*.onnx"))
    assert "**Not in this bundle**" in (made.path / "README.md").read_text()
    report = (made.path / "report.html").read_text()
    assert "1 of 3 files could not be made." in report and "onnx-fp32-32x48 is not in this bundle" in report
    assert pocketlens.verify(made.path).verdict == "pass"


@pytest.mark.usefixtures("wrong_onnx")
def test_where_every_file_is_wrong_nothing_is_written(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace('openvino = ["fp16"]\ntflite = ["fp32"]\n', ""))
    with pytest.raises(VerificationError, match=r"onnx-fp32-32x48\.onnx is wrong"):
        pocketlens.build(recipe, tmp_path / "a.bundle", generator=seeded(), bench=False)
    assert not (tmp_path / "a.bundle").exists()
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]


def test_never_replaces_what_is_no_bundle(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/mine.txt").write_text("x")
    with pytest.raises(InputError, match=r"not a bundle"):
        pocketlens.build(recipe, tmp_path / "photos", generator=seeded(), bench=False)
    assert (tmp_path / "photos/mine.txt").read_text() == "x"


def test_read_only_output(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"cannot write|cannot be"):
        pocketlens.build(recipe, tmp_path / "file/a.bundle", generator=seeded(), bench=False)


def test_full_disk_leaves_nothing(recipe: Path, tmp_path: Path) -> None:
    """A file-size limit of the process stands in for a full disk: the kernel refuses the write the same way."""
    script = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import pocketlens
from pathlib import Path
from tests.generators import seeded
from pocketlens.errors import InputError
module = seeded()
pocketlens.build(Path({str(recipe)!r}), Path({str(tmp_path / "warm")!r}), generator=module, bench=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    pocketlens.build(Path({str(recipe)!r}), Path({str(tmp_path / "out")!r}), generator=module, bench=False)
except InputError as error:
    print("refused:", error)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "refused: cannot write" in found.stdout, found
    assert not (tmp_path / "out").exists()
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_interrupted_in_the_middle(recipe: Path, tmp_path: Path, number: int) -> None:
    """By Ctrl-C, and by a terminal that closes. What SIGKILL leaves is looked at in tests/attacks/test_kill.py."""
    module = tmp_path / "mine.py"
    module.write_text("from tests.generators import seeded as make\n")
    command = [sys.executable, "-m", "pocketlens", "build", str(recipe), "-o", str(tmp_path / "out/a.bundle")]
    env = {**os.environ, "POCKETLENS_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(Path.cwd())}
    child = subprocess.Popen(
        [*command, "--generator", f"{module}:make"], stderr=subprocess.PIPE, env=env, text=True, start_new_session=True
    )
    assert child.stderr is not None
    for line in child.stderr:
        if "tflite" in line:  # ONNX and OpenVINO are done, TFLite is at work
            break
    child.send_signal(number)
    rest = child.stderr.read()
    code = child.wait(60)
    child.stderr.close()
    assert code == 130
    assert "Traceback" not in rest
    assert not (tmp_path / "out/a.bundle").exists()
    made = subprocess.run([*command, "--generator", f"{module}:make", "--no-bench"], env=env, check=False)
    assert made.returncode == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.bundle"]


def test_unchanged_recipe_makes_nothing_again(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))
    module = seeded()
    pocketlens.build(recipe, tmp_path / "a.bundle", generator=module)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*")}
    time.sleep(0.01)
    pocketlens.build(recipe, tmp_path / "b.bundle", generator=module)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*")} == before


def test_another_weight_is_another_bundle(recipe: Path, tmp_path: Path) -> None:
    first = pocketlens.build(recipe, tmp_path / "a", generator=seeded(seed=0), bench=False)
    second = pocketlens.build(recipe, tmp_path / "b", generator=seeded(seed=1), bench=False)
    assert first.manifest.content_sha256 != second.manifest.content_sha256


def test_an_onnx_file_goes_in_without_torch(recipe: Path, tmp_path: Path) -> None:
    torch.onnx.export(
        seeded(Small), (torch.zeros(1, 3, 32, 48),), str(tmp_path / "mine.onnx"), dynamo=True, verbose=False
    )
    recipe.write_text(
        RECIPE.replace(
            'license = "MIT"', 'license = "MIT"\nsource = "mine.onnx"\ninput_range = [-1, 1]\noutput_range = [-1, 1]'
        )
    )
    script = f"""
import sys
sys.modules["torch"] = None  # importing torch fails from here on
import pocketlens
made = pocketlens.build({str(recipe)!r}, {str(tmp_path / "a.bundle")!r}, bench=False)
print(made.verdict)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert found.stdout == "pass\n", found


def test_several_sizes_in_one_bundle(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(RECIPE.replace("[[32, 48]]", "[[32, 48], [64, 32]]"))
    made = pocketlens.build(recipe, tmp_path / "a.bundle", generator=seeded(), bench=False)
    assert {(a.height, a.width) for a in made.manifest.artifacts} == {(32, 48), (64, 32)}
    with pocketlens.load(made.path, artifact="tflite-fp32-64x32") as session:
        assert session.size == (64, 32)


def test_recipe_objects_work_like_files(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = pocketlens.build(Recipe.parse(RECIPE), tmp_path / "a.bundle", generator=seeded(), bench=False)
    assert Recipe.parse((made.path / "recipe.toml").read_text()) == Recipe.parse(RECIPE)
