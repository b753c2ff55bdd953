"""The version has one source, the git tag; the build works in a tree without tags, without history and without git."""

import importlib
import importlib.metadata
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pocketlens
import pocketlens.version

ROOT = Path(__file__).resolve().parents[2]


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def _version(folder: Path) -> str:
    """What the build backend would write into the metadata of a package that is built in ``folder``."""
    command = [sys.executable, "-W", "ignore", "-m", "setuptools_scm"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What decides the version, in a folder without git."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for name in ("pyproject.toml", ".gitattributes", ".git_archival.txt"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture
def repository(tree: Path) -> Path:
    """The same with one commit and no tag."""
    _git(tree, "init", "-q")
    _git(tree, "add", "-A")
    _git(tree, "commit", "-qm", "first")
    return tree


def test_a_tree_without_git_builds(tree: Path) -> None:
    assert _version(tree) == "0.1.0.dev0"


def test_a_repository_without_tags_builds(repository: Path) -> None:
    assert _version(repository).startswith("0.1.0.dev1+g")


def test_a_tag_is_the_version_and_a_commit_after_it_is_the_next_one_in_development(repository: Path) -> None:
    _git(repository, "tag", "v1.2.3")
    assert _version(repository) == "1.2.3"
    _git(repository, "commit", "-qm", "second", "--allow-empty")
    assert _version(repository).startswith("1.2.4.dev1+g")


def test_a_release_candidate(repository: Path) -> None:
    _git(repository, "tag", "v1.2.0rc1")
    assert _version(repository) == "1.2.0rc1"


@pytest.mark.parametrize("tag", ["figures-2026", "v1", "before-0.2"])
def test_tags_that_are_no_releases_do_not_count(repository: Path, tag: str) -> None:
    _git(repository, "tag", tag)
    assert _version(repository).startswith("0.1.0.dev1+g")


def test_a_shallow_clone_without_tags_builds(repository: Path, tmp_path: Path) -> None:
    _git(repository, "tag", "v1.2.3")
    _git(repository, "commit", "-qm", "second", "--allow-empty")
    _git(tmp_path, "clone", "-q", "--depth", "1", "--no-tags", repository.as_uri(), "clone")
    assert _version(tmp_path / "clone").startswith("0.1.0.dev1+g")


def test_an_archive_of_a_tag_knows_its_version(repository: Path, tmp_path: Path) -> None:
    _git(repository, "tag", "v1.2.3")
    _git(repository, "archive", "HEAD", "-o", str(tmp_path / "archive.tar"))
    with tarfile.open(tmp_path / "archive.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert _version(tmp_path / "unpacked") == "1.2.3"


def test_the_version_is_written_nowhere_in_the_sources() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
    assigned = [p for p in (ROOT / "pocketlens").rglob("*.py") if "__version__ =" in p.read_text("utf-8")]
    assert assigned == []


@pytest.mark.parametrize(
    ("installed", "base"),
    [
        ("1.2.3", "1.2.3"),
        ("1.2.4.dev7+g1a2b3c4", "1.2.4"),
        ("1.2.4.dev7+g1a2b3c4.d20261129", "1.2.4"),
        ("1.2.0rc1", "1.2.0rc1"),
        ("1.2.3+d20261129", "1.2.3"),
    ],
)
def test_what_a_manifest_states_does_not_change_from_commit_to_commit(
    installed: str, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, "version", lambda name: installed)
        again = importlib.reload(pocketlens.version)
        assert (installed, base) == (again.VERSION, again.BASE_VERSION)
    importlib.reload(pocketlens.version)


def test_a_tree_that_was_never_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, "version", missing)
        assert importlib.reload(pocketlens.version).VERSION == "0.0.0+unknown"
    importlib.reload(pocketlens.version)


def test_the_package_says_what_its_metadata_say() -> None:
    assert pocketlens.__version__ == importlib.metadata.version("pocketlens")


def test_importing_the_package_reads_no_metadata() -> None:
    code = "import sys, pocketlens; sys.exit('importlib.metadata' in sys.modules)"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=True)


def test_a_manifest_names_the_base_version() -> None:
    from pocketlens.pipeline.stage_key import toolchain

    assert toolchain()["pocketlens"] == pocketlens.version.BASE_VERSION


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "zoo"]])
def test_the_command_says_its_version(arguments: list[str]) -> None:
    from pocketlens.cli import load_commands

    done = CliRunner().invoke(load_commands(), arguments)
    assert (done.exit_code, done.stdout) == (0, f"{pocketlens.__version__}\n")
