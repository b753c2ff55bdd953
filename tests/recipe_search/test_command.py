"""A whole search: what it writes, that it repeats itself, and that a kill loses nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pocketlens import files, images
from pocketlens.bench.document import Document
from pocketlens.cli import app, load_commands
from pocketlens.errors import InputError, MissingError
from pocketlens.recipe import Recipe
from pocketlens.recipe_search.command import SearchResult, search
from pocketlens.recipe_search.notebook import JOURNAL
from tests.conftest import ROOT
from tests.recipe_search.conftest import RECIPE, write_recipe

optuna = pytest.importorskip("optuna", reason="pip install 'pocketlens[search]'")


def trials_of(folder: Path) -> list[optuna.trial.FrozenTrial]:
    backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
    return optuna.load_study(study_name="tiny", storage=optuna.storages.JournalStorage(backend)).trials


def test_every_trial_keeps_its_document(searched: SearchResult) -> None:
    assert searched.trials == 4
    assert searched.points
    for point in searched.points:
        folder = searched.folder / "trials" / f"{point.trial:04d}"
        about = json.loads((folder / "trial.json").read_text())
        assert about["values"] == [point.ssim, *point.p95_ms, point.mb]
        assert about["history"][-1]["step"] == about["candidate"]["compress"]["steps"]
        document = Document.read(folder / "measurement-local.json")
        assert document.results[0].artifact.bytes == about["bytes"]
        shown = [images.read(folder / f"{name}.png") for name in ("photograph", "teacher", "worst")]
        assert {picture.shape for picture in shown} == {(32, 32, 3)}
        assert Recipe.read(folder / "recipe.toml").compress is not None


def test_a_lock_that_is_a_link_or_a_pipe(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("unchanged")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "lock").symlink_to(precious)
    os.mkfifo(tmp_path / "b" / "lock")
    for place in ("a", "b"):
        with pytest.raises(InputError, match=r"lock is a (link|pipe)"):
            search(write_recipe(tmp_path), tmp_path / place, fps=1, trials=1)
    assert precious.read_text() == "unchanged"


def test_the_front_is_a_page_a_plot_and_data(searched: SearchResult) -> None:
    page = (searched.folder / "front.html").read_text()
    assert page.count("data:image/webp") == 3 * len(searched.front)
    assert not re.search("https?://", re.sub(r"http://www.w3.org\S+", "", page))
    assert (searched.folder / "front.svg").read_text().startswith("<svg xmlns=")
    data = json.loads((searched.folder / "front.json").read_text())
    assert [point["trial"] for point in data["front"]] == [point.trial for point in searched.front]


def test_predictions_are_compared_with_measurements(searched: SearchResult) -> None:
    assert len(searched.prediction_errors) == len(searched.points)
    measured = [t for t in trials_of(searched.folder) if t.values]
    for trial in measured:
        predicted = trial.user_attrs["local predicted p95 ms"]
        error = trial.user_attrs["local prediction error"]
        assert error == pytest.approx(abs(predicted / trial.values[1] - 1), abs=2e-3)
    kept = list((searched.folder / "calibration").glob("*.json"))
    assert [path.name for path in kept] == ["local-onnx-fp32-onnxruntime-1.json"]
    assert len(Document.read(kept[0]).results) == 3


def test_the_same_seed_gives_the_same_trials_and_trains_nothing_again(searched: SearchResult, tmp_path: Path) -> None:
    recipe, heard = write_recipe(tmp_path), list[str]()
    again = search(recipe, tmp_path / "out", fps=2.0, trials=4, threads=1, notify=lambda what, *_: heard.append(what))
    assert again.points == searched.points
    assert [trial.params for trial in trials_of(again.folder)] == [t.params for t in trials_of(searched.folder)]
    assert not [what for what in heard if "measuring" in what]


def test_a_pick_builds_again_to_the_same_bytes(searched: SearchResult, tmp_path: Path) -> None:
    from pocketlens.pipeline.commands.build import build

    recipe = searched.folder.parent / "tiny.toml"
    found = search(recipe, searched.folder, fps=2.0, trials=4, threads=1, pick="smallest")
    assert found.picked is not None
    smallest = min(found.front, key=lambda point: point.mb)
    assert found.picked == found.folder / f"pick-{smallest.trial:04d}" / "tiny.bundle"
    again = build(found.picked.parent / "recipe.toml", tmp_path / "again.bundle", bench=False)
    for artifact in again.manifest.artifacts:
        assert files.sha256(found.picked / artifact.path) == files.sha256(again.path / artifact.path)
    trial = json.loads((found.folder / "trials" / f"{smallest.trial:04d}" / "trial.json").read_text())
    assert again.manifest.artifacts[0].bytes == trial["bytes"]
    with pytest.raises(InputError, match="no trial '99' to pick"):
        search(recipe, searched.folder, fps=2.0, trials=4, threads=1, pick="99")


def test_what_cannot_hold_the_budget_is_never_trained(searched: SearchResult, tmp_path: Path) -> None:
    found = search(write_recipe(tmp_path), tmp_path / "out", fps=1e6, trials=3, threads=1)
    assert (found.not_trained, found.points, found.front) == (3, (), ())
    for trial in trials_of(tmp_path / "out"):
        assert trial.state == optuna.trial.TrialState.PRUNED
        assert trial.user_attrs["why it ended"].startswith("not trained: predicted local")
        assert trial.constraints["local predicted"] > 0


def test_a_folder_holds_one_study(searched: SearchResult, tmp_path: Path) -> None:
    recipe = searched.folder.parent / "tiny.toml"
    with pytest.raises(InputError, match=r"is of other budget"):
        search(recipe, searched.folder, fps=3.0, trials=4, threads=1)
    changed = write_recipe(tmp_path, RECIPE.replace("first_rung = 20", "first_rung = 21"))
    with pytest.raises(InputError, match=r"is of other space"):
        search(changed, searched.folder, fps=2.0, trials=4, threads=1)
    pictures = tmp_path / "judge"
    pictures.mkdir()
    images.write(pictures / "a.png", images.read(searched.folder / "trials" / "0000" / "photograph.png")[::-1].copy())
    other = write_recipe(tmp_path, RECIPE + '[pictures]\njudge = "judge"\n')
    with pytest.raises(InputError, match=r"is of other pictures"):
        search(other, searched.folder, fps=2.0, trials=4, threads=1)


def test_a_killed_search_goes_on_without_a_trial_lost_or_doubled(searched: SearchResult, tmp_path: Path) -> None:
    """Killed with its processes again and again, it tells each trial once, and the same as one that was left alone."""
    recipe, out = write_recipe(tmp_path), tmp_path / "out"
    line = [sys.executable, "-m", "pocketlens", "search", str(recipe), "-o", str(out), "--fps", "2", "--trials", "2"]
    environment = {**os.environ, "POCKETLENS_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    for stage in ("trial 0: answers", "trial 1: "):
        with subprocess.Popen(
            [*line, "--threads", "1"], env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            start_new_session=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            for said in process.stderr:
                if stage in said:
                    break
            else:
                pytest.fail(f"the search ended before {stage!r}")
            time.sleep(1.0)
            process.send_signal(signal.SIGKILL)
    done = subprocess.run([*line, "--threads", "1"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    trials = trials_of(out)
    assert [trial.number for trial in trials] == [0, 1]
    assert all(trial.state.is_finished() for trial in trials)
    alone = trials_of(searched.folder)[:2]
    assert [trial.params for trial in trials] == [trial.params for trial in alone]
    for trial, other in zip(trials, alone, strict=True):
        assert (trial.values[0], trial.values[2]) == (other.values[0], other.values[2])


def test_a_second_search_in_a_folder_waits(searched: SearchResult) -> None:
    import fcntl

    with (searched.folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another search works in"):
            search(searched.folder.parent / "tiny.toml", searched.folder, fps=2.0, trials=4, threads=1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("width = [16, 8]", r"search.width: it is \[16, 8\], expected \[lowest, highest\]"),
        ('runtimes = ["litert"]', "plays no onnx files, so that the space is empty"),
        ('runtimes = ["abacus"]', "search.runtimes: there is no 'abacus'"),
        ('rewrites = ["auto"]', "measures while it builds"),
        ('rewrites = ["no-such"]', "no-such"),
        ('accelerators = ["abacus"]', "'abacus' plays no onnx files"),
        ('students = ["oracle"]', "search.students"),
        ("widht = [8, 16]", "did you mean 'width'"),
    ],
)
def test_an_empty_or_wrong_space_is_refused(tmp_path: Path, table: str, message: str) -> None:
    write_recipe(tmp_path)
    key = table.split(" ", maxsplit=1)[0]
    lines = [line for line in RECIPE.splitlines() if line.split(" ")[0] != key]
    lines.insert(lines.index("[search]") + 1, table)
    (tmp_path / "tiny.toml").write_text("\n".join(lines))
    load_commands()
    ran = CliRunner().invoke(app, ["search", str(tmp_path / "tiny.toml"), "-o", str(tmp_path / "out")])
    assert ran.exit_code == 2
    assert re.search(message, ran.stderr), ran.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_device_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'pi5' is no device"):
        search(write_recipe(tmp_path), tmp_path / "out", devices=("pi5",))
    assert not (tmp_path / "out").exists()


def test_a_device_that_does_not_answer_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"127\.0\.0\.1"):
        search(write_recipe(tmp_path), tmp_path / "out", devices=("ssh://nobody@127.0.0.1:1",), trials=1)
    assert not (tmp_path / "out").exists()
