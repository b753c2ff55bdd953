"""The workflows, the hooks and the scripts that they call agree with the tree; nothing here can run them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
PINNED = re.compile(r"[\w.-]+/[\w./-]+@(v\d+(\.\d+)*|release/v\d+|[0-9a-f]{40})")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def _load(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text("utf-8")))


def _steps(path: Path) -> Iterator[dict[str, Any]]:
    document = _load(path)
    jobs = document["jobs"].values() if "jobs" in document else [document["runs"]]
    for job in jobs:
        yield from job.get("steps", [])


def _commands(path: Path) -> Iterator[str]:
    yield from (step["run"] for step in _steps(path) if "run" in step)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_complete(path: Path) -> None:
    workflow = _load(path)
    assert workflow["name"]
    assert workflow[True]  # "on:", which YAML 1.1 takes for a boolean
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job.get("needs", name) in workflow["jobs"], name
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file(), name
            continue
        assert job["runs-on"] == "ubuntu-24.04", name
        assert job["timeout-minutes"] <= 60, name
        assert job["steps"], name
        assert all(("uses" in step) != ("run" in step) for step in job["steps"]), name


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    used = [step["uses"] for step in _steps(path) if "uses" in step]
    assert used
    assert [name for name in used if name != "./" and not PINNED.fullmatch(name)] == []


@pytest.mark.parametrize(
    "path",
    [*WORKFLOWS, ROOT / ".readthedocs.yaml", ROOT / ".ci" / "run", ROOT / ".ci" / "package"],
    ids=lambda p: p.name,
)
def test_what_they_call_exists(path: Path) -> None:
    text = "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#"))
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text("utf-8"), flags=re.M))
    called = set(re.findall(r"\bmake (?:-C \S+ )?([a-z][a-z0-9-]*)", text))
    scripts = set(re.findall(r"(?<![\w/])\.ci/[a-z]+", text))
    assert called | scripts
    assert called <= targets
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_from_outside_is_written_into_a_shell_command(path: Path) -> None:
    assert [command for command in _commands(path) if "${{" in command] == []


def test_every_python_that_the_package_promises_is_tested() -> None:
    matrix = _load(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    promised = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert matrix == promised
    assert PROJECT["requires-python"] == f">={matrix[0]}"


def test_artifacts_that_a_release_takes_are_made_before() -> None:
    release = _load(ROOT / ".github/workflows/release.yml")["jobs"]
    order = ["ci", "notes", "pypi", "github"]
    assert list(release) == order
    assert [release[name].get("needs") for name in order] == [None, *order[:-1]]
    made = {step["with"]["name"] for path in WORKFLOWS for step in _steps(path) if "upload" in step.get("uses", "")}
    taken = {step["with"]["name"] for path in WORKFLOWS for step in _steps(path) if "download" in step.get("uses", "")}
    assert taken <= made


def test_only_one_job_may_publish_and_needs_no_token() -> None:
    jobs = _load(ROOT / ".github/workflows/release.yml")["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["pypi"]
    assert [name for name, job in jobs.items() if job.get("permissions", {}).get("contents") == "write"] == ["github"]
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text("utf-8")


def test_the_tag_that_starts_a_release_is_one_that_gives_a_version() -> None:
    [pattern] = _load(ROOT / ".github/workflows/release.yml")[True]["push"]["tags"]
    scm = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools_scm"]
    assert scm["scm"]["git"]["describe_command"].endswith(f"--match {pattern}")
    assert f"match={pattern})" in (ROOT / ".git_archival.txt").read_text("utf-8")


def test_hooks_have_the_versions_of_the_constraints() -> None:
    constraints = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line
    )
    repositories = {entry["repo"]: entry for entry in _load(ROOT / ".pre-commit-config.yaml")["repos"]}
    ruff = repositories["https://github.com/astral-sh/ruff-pre-commit"]
    assert ruff["rev"] == f"v{constraints['ruff']}"
    assert [hook["id"] for hook in ruff["hooks"]] == ["ruff-check", "ruff-format"]
    local = {hook["id"]: hook["entry"] for hook in repositories["local"]["hooks"]}
    assert local == {"mypy": ".venv/bin/mypy", "lint-imports": ".venv/bin/lint-imports"}  # pinned by make install
    assert {"mypy", "import-linter"} <= set(constraints)


def test_the_hooks_are_valid() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(ROOT / ".pre-commit-config.yaml")]
    subprocess.run(command, check=True, capture_output=True)


def test_every_constraint_is_a_pin_in_order() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    assert pins == sorted(pins, key=str.upper)


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "RELEASE.md", "SECURITY.md", "changes/README.md", "action/README.md"]
)
def test_links_between_files_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """``.ci/notes`` in a tree with two releases."""
    for folder in (".ci", "changes", "dist"):
        (tmp_path / folder).mkdir()
    (tmp_path / "changes" / "README.md").touch()
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 1.2.0 (2027-01-02)\n\n### Fixed\n\n- A.\n\n## 1.1.0 (2027-01-01)\n\n### Added\n\n- B.\n"
    )
    for name in ("pocketlens-1.2.0.tar.gz", "pocketlens-1.2.0-py3-none-any.whl"):
        (tmp_path / "dist" / name).touch()
    return Path(shutil.copy(ROOT / ".ci" / "notes", tmp_path / ".ci"))


def _notes(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(script), *arguments], cwd=script.parents[1], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("version", "section"), [("1.2.0", "### Fixed\n\n- A."), ("1.1.0", "### Added\n\n- B.")])
def test_the_notes_of_a_release_are_its_section(notes: Path, version: str, section: str) -> None:
    printed = _notes(notes, version)
    assert (printed.returncode, printed.stdout.strip()) == (0, section)


def test_a_release_without_a_section_fails(notes: Path) -> None:
    printed = _notes(notes, "1.3.0")
    assert (printed.returncode, printed.stdout) == (1, "")
    assert "CHANGELOG.md has no section for 1.3.0" in printed.stderr


def test_a_release_whose_fragments_were_not_collected_fails(notes: Path) -> None:
    (notes.parents[1] / "changes" / "3.fixed.md").touch()
    printed = _notes(notes, "1.2.0", "dist")
    assert printed.returncode == 1
    assert "changes/ still holds 3.fixed.md" in printed.stderr


def test_a_release_whose_files_are_of_another_version_fails(notes: Path) -> None:
    assert _notes(notes, "1.2.0", "dist").returncode == 0
    printed = _notes(notes, "1.1.0", "dist")
    assert printed.returncode == 1
    assert "dist holds no pocketlens-1.1.0.tar.gz" in printed.stderr


def test_a_pre_release_needs_no_section(notes: Path) -> None:
    (notes.parents[1] / "changes" / "3.fixed.md").touch()
    printed = _notes(notes, "1.3.0rc1")
    assert printed.returncode == 0
    assert "A pre-release" in printed.stdout
