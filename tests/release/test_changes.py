"""The change log is collected from fragments under fixed headings; each fragment is one that the collection takes."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
FRAGMENTS = sorted(p for p in (ROOT / "changes").iterdir() if p.name not in ("README.md", "template.md.jinja"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what towncrier reads, with fragments of its own."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    (tmp_path / "changes").mkdir()
    shutil.copy(ROOT / "changes" / "template.md.jinja", tmp_path / "changes")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def _release(project: Path, version: str) -> str:
    subprocess.run(["git", "add", "-A"], cwd=project, check=True)
    command = [sys.executable, "-m", "towncrier", "build", "--yes", "--version", version, "--date", "2027-01-02"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    return (project / "CHANGELOG.md").read_text("utf-8")


def test_the_headings_are_fixed() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]
    assert [kind["name"] for kind in config["type"]] == HEADINGS
    assert [kind["directory"] for kind in config["type"]] == [name.lower() for name in HEADINGS]


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_every_fragment_has_a_kind_and_is_written_in_sentences(fragment: Path) -> None:
    kinds = "|".join(name.lower() for name in HEADINGS)
    assert re.fullmatch(rf"(\d+|\+[a-z0-9-]+)\.({kinds})(\.\d+)?\.md", fragment.name)
    text = fragment.read_text("utf-8")
    bullets = re.split(r"^- ", text, flags=re.M)[1:] if text.startswith("- ") else [text]
    assert all(bullet.rstrip().endswith((".", "`", ")")) for bullet in bullets)


def test_fragments_become_the_section_of_a_release_in_the_order_of_the_headings(project: Path) -> None:
    changes = project / "changes"
    (changes / "12.fixed.md").write_text("`convert` takes graphs\nwhose input has no name.\n")
    (changes / "+flags.removed.md").write_text("`--old` is gone.\n")
    (changes / "+list.added.md").write_text("- B is first.\n- A is second,\n  and has two lines.\n")
    first = _release(project, "0.1.0")
    assert first.endswith(
        "<!-- releases -->\n\n## 0.1.0 (2027-01-02)\n\n"
        "### Added\n\n- B is first.\n- A is second,\n  and has two lines.\n\n"
        "### Removed\n\n- `--old` is gone.\n\n"
        "### Fixed\n\n- `convert` takes graphs\n  whose input has no name."
        " ([#12](https://github.com/pocketlens/pocketlens/issues/12))\n"
    )
    assert [path.name for path in changes.iterdir()] == ["template.md.jinja"]

    (changes / "+next.security.md").write_text("A damaged file is refused.\n")
    second = _release(project, "0.2.0")
    assert second == first.replace(
        "## 0.1.0", "## 0.2.0 (2027-01-02)\n\n### Security\n\n- A damaged file is refused.\n\n## 0.1.0"
    )


def test_what_is_not_released_yet_can_be_printed() -> None:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "Unreleased"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    headings = re.findall(r"^### (.*)$", printed, flags=re.M)
    assert headings == [name for name in HEADINGS if any(f".{name.lower()}." in path.name for path in FRAGMENTS)]
