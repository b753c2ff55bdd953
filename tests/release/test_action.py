"""The GitHub action's script, on a real bundle; its files agree with each other."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from action import check
from pocketlens.cli import load_commands

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "tests" / "data" / "bundles" / "schema-1.0.bundle"
ARTIFACTS = ["onnx-fp32-24x32 in onnxruntime", "tflite-fp16-24x32 in litert", "openvino-fp32-24x32 in openvino"]
SHORT = ("--seconds", "0.1")
EASY = ("--fps", "0.5", *SHORT)
"""A budget that holds on the busiest machine."""


class Run:
    """What one run of the script left behind."""

    def __init__(self, folder: Path, *arguments: str, script: Callable[[list[str]], tuple[int, str]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary"))
            patch.setenv("GITHUB_OUTPUT", str(folder / "output"))
            self.code, self.log = script(["--out", str(folder / "out"), *arguments])
        self.report = (folder / "out" / "report.md").read_text("utf-8")
        assert (folder / "summary").read_text("utf-8") == self.report
        self.output = dict(line.split("=", 1) for line in (folder / "output").read_text("utf-8").splitlines())

    def row(self, label: str) -> list[str]:
        """A line of the table, without its first cell."""
        found = re.search(rf"^\| {re.escape(label)} \| (.*) \|$", self.report, flags=re.M)
        assert found, self.report
        return found[1].split(" | ")

    @property
    def measurement(self) -> Path:
        return Path(self.output["measurement"])


def _as_a_program(arguments: list[str]) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "action" / "check.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


def _here(*arguments: str) -> tuple[int, str, str]:
    """The same commands in this process, which has loaded the runtimes already."""
    ended = CliRunner().invoke(load_commands(), arguments)
    return ended.exit_code, ended.stdout, ended.stderr


def _run(folder: Path, *arguments: str) -> Run:
    def script(arguments: list[str]) -> tuple[int, str]:
        with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as log:
            patch.setattr(check, "run", _here)
            code = check.main(arguments)
        return code, log.getvalue()

    return Run(folder, *arguments, script=script)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The bundle, with a budget that holds and without a baseline."""
    return Run(tmp_path_factory.mktemp("measured"), str(BUNDLE), *EASY, script=_as_a_program)


def _changed(measurement: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> str:
    document = json.loads(measurement.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")
    return str(path)


def test_a_bundle_that_holds(measured: Run) -> None:
    assert measured.code == 0, measured.log
    assert measured.report.startswith(
        "<!-- pocketlens schema-1.0.bundle -->\n### ✅ Pocketlens: `schema-1.0.bundle` holds"
    )
    assert (measured.output["verdict"], measured.output["code"]) == ("pass", "0")
    assert Path(measured.output["report"]).read_text("utf-8") == measured.report
    for label in ARTIFACTS:
        verified, p50, p95, memory, budget = measured.row(label)
        assert (verified, budget) == ("✅ ok", "✅ pass")
        assert 0 < float(p50) <= float(p95)
        assert memory.isdigit()
    assert measured.row("coreml-fp16-24x32 in mil")[:2] == ["✅ ok", "–"]
    assert "Measured on " in measured.report
    assert "aseline" not in measured.report


def test_a_baseline_as_fast(measured: Run, tmp_path: Path) -> None:
    run = _run(tmp_path, str(BUNDLE), *EASY, "--baseline", str(measured.measurement), "--threshold", "100000")
    assert run.code == 0, run.log
    assert "Compared with measurement.json" in run.report
    for label in ARTIFACTS:
        assert re.fullmatch(r"\d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\), [a-z ]+", run.row(label)[-1])


def test_a_regression(measured: Run, tmp_path: Path) -> None:
    def faster(document: dict[str, Any]) -> None:
        for block in document["subjects"][0]["timing"]["rounds"]:
            block["frame_ms"] = [0.00001 for _ in block["frame_ms"]]
            block["inference_ms"] = [0.00001 for _ in block["inference_ms"]]

    baseline = _changed(measured.measurement, tmp_path / "main.json", faster)
    arguments = ("--baseline", baseline, "--threshold", "100000", "--runtime", "onnxruntime")
    run = _run(tmp_path, str(BUNDLE), *EASY, *arguments)
    assert run.code == 1, run.log
    assert "### ❌ Pocketlens: `schema-1.0.bundle` does not hold" in run.report
    assert run.row(ARTIFACTS[0])[-1].startswith("❌ ")
    assert f"- {ARTIFACTS[0]} is " in run.report
    assert "slower than the baseline (at most 100000 %)" in run.report


def test_a_baseline_that_is_a_bundle_is_measured_in_the_same_run(tmp_path: Path) -> None:
    arguments = ("--baseline", str(BUNDLE), "--threshold", "100000", "--runtime", "litert")
    run = _run(tmp_path, str(BUNDLE), *EASY, *arguments)
    assert run.code == 0, run.log
    assert (tmp_path / "out" / "baseline.json").is_file()
    assert "Compared with schema-1.0.bundle" in run.report
    assert run.log.count("$ pocketlens bench") == 2


def test_a_budget_that_breaks(tmp_path: Path) -> None:
    run = _run(tmp_path, str(BUNDLE), "--fps", "100000", *SHORT, "--runtime", "litert")
    assert run.code == 1, run.log
    assert run.row(ARTIFACTS[1])[-1] == "❌ fail"
    assert "frame\\_ms at most 0.01: fail" in run.report
    assert run.measurement.is_file()


def test_a_damaged_bundle_is_not_measured(tmp_path: Path) -> None:
    bundle = shutil.copytree(BUNDLE, tmp_path / "damaged.bundle")
    artifact = bundle / "artifacts" / "tflite-fp16-24x32.tflite"
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"?")
    run = _run(tmp_path, str(bundle), *EASY)
    assert run.code == 1, run.log
    assert "tflite-fp16-24x32" in run.report
    assert "$ pocketlens bench" not in run.log
    assert (run.output["verdict"], run.output["measurement"]) == ("fail", "")


def test_no_bundle(tmp_path: Path) -> None:
    run = _run(tmp_path, str(tmp_path / "nothing.bundle"), *EASY)
    assert run.code == 2
    assert "### ❌ Pocketlens: `nothing.bundle` could not be checked" in run.report
    assert "does not exist" in run.report
    assert (run.output["verdict"], run.output["measurement"]) == ("error", "")


def test_a_baseline_of_another_device(measured: Run, tmp_path: Path) -> None:
    def elsewhere(document: dict[str, Any]) -> None:
        document["environment"]["host"]["cpu"] = "Another processor"

    baseline = _changed(measured.measurement, tmp_path / "other.json", elsewhere)
    run = _run(tmp_path, str(BUNDLE), *EASY, "--runtime", "litert", "--baseline", baseline)
    assert run.code == 2, run.log
    assert "could not be checked" in run.report
    assert "The baseline cannot be compared: these cannot be compared: the devices differ" in run.report
    assert run.row(ARTIFACTS[1])[4] == "✅ pass"  # what could be found out is told all the same


def test_a_baseline_that_is_no_measurement(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("not JSON")
    run = _run(tmp_path, str(BUNDLE), *EASY, "--runtime", "litert", "--baseline", str(tmp_path / "text.json"))
    assert run.code == 2, run.log
    assert "The baseline cannot be compared: " in run.report


def test_a_baseline_that_is_not_there(tmp_path: Path) -> None:
    run = _run(tmp_path, str(BUNDLE), *EASY, "--runtime", "litert", "--baseline", str(tmp_path / "none.json"))
    assert run.code == 2, run.log
    assert "There is no baseline at " in run.report


def test_a_budget_that_does_not_exist(tmp_path: Path) -> None:
    run = _run(tmp_path, str(BUNDLE), *SHORT, "--preset", "no-such-app")
    assert run.code == 2, run.log
    assert "The bundle cannot be measured: " in run.report


def test_inputs_that_are_left_out_are_empty(tmp_path: Path) -> None:
    empty = [part for option in ("--fps", "--frame-ms", "--preset", "--device", "--baseline") for part in (option, "")]
    run = _run(tmp_path, *SHORT, *empty, "--runtime", "litert", "--", str(BUNDLE))
    assert run.code == 0, run.log


def test_names_out_of_files_are_no_markdown() -> None:
    report = check.Report("wave.bundle")
    report.problem("<img src=x> | `x` @somebody\n# head", 1)
    assert "- \\<img src=x\\> \\| \\`x\\` @\u200bsomebody \\# head\n" in report.markdown()


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in gh's place that writes down what it is asked, and answers with the file ``earlier``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "earlier").touch()
    program = folder / "gh"
    program.write_text(f'#!/bin/sh\necho "$MARK|$*" >>{tmp_path}/asked\ncat {tmp_path}/earlier\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path


def _comment(folder: Path) -> list[str]:
    (folder / "report.md").write_text("<!-- pocketlens wave.bundle -->\n### It holds\n")
    command = [str(ROOT / "action" / "comment.sh"), str(folder / "report.md"), "who/what", "7"]
    subprocess.run(command, check=True)
    return (folder / "asked").read_text().splitlines()


def test_the_first_report_is_a_new_comment(gh: Path) -> None:
    listed, written = _comment(gh)
    assert listed.startswith("<!-- pocketlens wave.bundle -->|api repos/who/what/issues/7/comments")
    assert written == f"|api --method POST repos/who/what/issues/7/comments -F body=@{gh}/report.md"


def test_a_later_report_replaces_its_comment(gh: Path) -> None:
    (gh / "earlier").write_text("123\n456\n")
    assert _comment(gh)[1] == f"|api --method PATCH repos/who/what/issues/comments/123 -F body=@{gh}/report.md"


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "action.yml").read_text("utf-8")))


def test_every_input_is_described_and_used(action: dict[str, Any]) -> None:
    steps = json.dumps(action["runs"]["steps"])
    for name, declared in action["inputs"].items():
        assert declared["description"].endswith("."), name
        assert f"inputs.{name} " in steps, name
    assert set(re.findall(r"inputs\.([a-z-]+)", steps)) == set(action["inputs"])


def test_no_input_is_written_into_a_shell_command(action: dict[str, Any]) -> None:
    """Somebody else's text would then be run: it goes through the environment."""
    assert action["runs"]["using"] == "composite"
    assert [step["run"] for step in action["runs"]["steps"] if "${{" in step.get("run", "")] == []


def test_the_steps_call_what_is_there(action: dict[str, Any]) -> None:
    called = [
        name
        for step in action["runs"]["steps"]
        for name in re.findall(r"\$GITHUB_ACTION_PATH/([\w./]+)", step.get("run", ""))
    ]
    assert called == ["action/check.py", "action/comment.sh"]
    assert all((ROOT / name).is_file() for name in called)
    assert os.access(ROOT / "action" / "comment.sh", os.X_OK)
    used = {
        option for step in action["runs"]["steps"] for option in re.findall(r"--[a-z-]+(?= \"\$)", step.get("run", ""))
    }
    usage = subprocess.run(
        [sys.executable, str(ROOT / "action" / "check.py"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert used == set(re.findall(r"^  (--[a-z-]+)", usage, flags=re.M))


def test_outputs_are_written(action: dict[str, Any], measured: Run) -> None:
    for name, declared in action["outputs"].items():
        assert declared["value"] == f"${{{{ steps.check.outputs.{name} }}}}"
        assert name in measured.output
