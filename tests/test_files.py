"""A file is whole or not there, whatever happens in between."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pocketlens import files
from pocketlens.errors import InputError


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    files.write(target, "old")
    with pytest.raises(RuntimeError), files.whole(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_folder_replaces_folder(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    for text in ("one", "two"):
        with files.whole(target) as part:
            part.mkdir()
            (part / text).write_text(text)
    assert [p.name for p in target.iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_kill_leaves_nothing_that_the_next_write_does_not_sweep(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    script = f"""
import pathlib, time
from pocketlens import files
with files.whole(pathlib.Path({str(target)!r})) as part:
    part.mkdir(); (part / "half").write_text("x"); print("ready", flush=True); time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not target.exists()
    files.write(target, "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_output_under_a_file_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        files.write(tmp_path / "file" / "inside.txt", "x")


def test_cache_makes_once_and_keeps_nothing_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path))
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "x").write_text(str(time.time()))

    key = files.key_of(a=1, b=[2, 3])
    first, second = files.cached("kind", key, make), files.cached("kind", key, make)
    assert first == second and len(made) == 1 and (first / "x").is_file()

    def fail(folder: Path) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        files.cached("kind", files.key_of(a=2), fail)
    assert files.lookup("kind", files.key_of(a=2)) is None


def test_folder_digest_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = files.sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = files.sha256(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, files.sha256(tmp_path)}) == 3


def test_a_kill_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    # Replacing a folder takes two renames; whoever writes there next puts the old one back first.
    target = tmp_path / "bundle"
    script = f"""
import os, pathlib
from pocketlens import files
path = pathlib.Path({str(target)!r})
def die(part, to): os.kill(os.getpid(), 9)
for text in ("old", "new"):
    with files.whole(path) as part:
        part.mkdir(); (part / text).write_text(text)
        if text == "new": pathlib.Path.replace = die
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert not target.exists()
    with pytest.raises(RuntimeError), files.whole(target):
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]
    assert [p.name for p in target.iterdir()] == ["old"]


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="device or a pipe"):
        files.write(tmp_path / "pipe", "x")
    assert (tmp_path / "pipe").is_fifo() and len(list(tmp_path.iterdir())) == 1


def test_many_processes_write_one_folder_and_one_cache_entry(tmp_path: Path) -> None:
    script = f"""
import os, pathlib
from pocketlens import files
folder = pathlib.Path({str(tmp_path)!r})
def make(part):
    for name in "abc": (part / name).write_text(name * 1000)
for turn in range(30):
    with files.whole(folder / "bundle") as part:
        part.mkdir(); make(part)
    entry = files.cached("kind", str(turn), make)
    assert sorted(p.name for p in entry.iterdir()) == ["a", "b", "c"], turn
"""
    environment = {**os.environ, "POCKETLENS_CACHE": str(tmp_path / "cache")}
    children = [subprocess.Popen([sys.executable, "-c", script], env=environment) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "cache"]
    assert sorted(p.name for p in (tmp_path / "bundle").iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize("damage", ["truncate", "delete", "add", "unseal", "file"])
def test_a_damaged_cache_entry_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path))
    entry = files.cached("kind", "key", lambda folder: files.write(folder / "x", "whole"))
    {
        "truncate": lambda: (entry / "x").write_bytes(b"wh"),
        "delete": (entry / "x").unlink,
        "add": lambda: (entry / "y").write_text("more"),
        "unseal": lambda: (entry.parent / "sha256").write_bytes(b"\xff"),
        "file": lambda: (files.remove(entry.parent), entry.parent.write_text("")),
    }[damage]()
    assert files.lookup("kind", "key") is None
    if damage == "file":
        with pytest.raises(InputError, match="cannot write"):
            files.cached("kind", "key", lambda folder: None)
        return
    assert files.cached("kind", "key", lambda folder: files.write(folder / "x", "whole")) == entry
    assert [p.read_text() for p in entry.iterdir()] == ["whole"] and files.lookup("kind", "key") == entry


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POCKETLENS_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert files.cache_folder() == tmp_path / ".cache/pocketlens"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot write") as raised:
        files.cached("kind", "key", lambda folder: None)
    assert "POCKETLENS_CACHE" in raised.value.do
