"""Folders of strangers: what is not whole is refused in words before native code reads it."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketlens.errors import InputError
from pocketlens.runtimes import coreai_asset
from pocketlens.runtimes.session import open_artifact
from tests.converters.coreai.harness import emit, needs_core_ai
from tests.generators import small_graph

pytestmark = needs_core_ai


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return emit(small_graph(32, 48), "fp32", tmp_path_factory.mktemp("coreai"))


def _flip_a_byte(path: Path) -> None:
    data = bytearray((path / "main.mlirb").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "main.mlirb").write_bytes(data)


def _cut_with_its_digest(path: Path) -> None:
    data = (path / "main.mlirb").read_bytes()[:500]
    (path / "main.mlirb").write_bytes(data)
    (path / "main.hash").write_bytes(hashlib.sha256(data).digest())


def _no_program(path: Path) -> None:
    (path / "main.mlirb").write_bytes(b"not a program")


def _a_link_out(path: Path) -> None:
    (path / "main.mlirb").rename(path.parent / "outside")
    (path / "main.mlirb").symlink_to(path.parent / "outside")


def _more_than_is_hashed(path: Path) -> None:
    (path / "main-universal.odix").write_bytes(b"compiled by somebody")


def _no_metadata(path: Path) -> None:
    (path / "metadata.json").unlink()


def _metadata_that_is_no_json(path: Path) -> None:
    (path / "metadata.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_flip_a_byte, "SHA-256"),
        (_cut_with_its_digest, "holds no entry point"),
        (_no_program, "is not a program"),
        (_a_link_out, "a link or a device"),
        (_more_than_is_hashed, r"holds main-universal\.odix"),
        (_no_metadata, r"metadata\.json is missing"),
        (_metadata_that_is_no_json, "Core AI cannot play"),
    ],
)
def test_what_is_not_whole_is_refused(made: Path, tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    path = tmp_path / "stranger.aimodel"
    shutil.copytree(made, path)
    damage(path)
    with pytest.raises(InputError, match=message):
        open_artifact(path)


def test_a_program_too_large_is_not_opened(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coreai_asset, "MAX_PROGRAM", 1000)
    with pytest.raises(InputError, match=r"main\.mlirb has [\d,]+ bytes, more than 1,000"):
        open_artifact(made)


def test_it_plays_within_a_program_that_has_an_event_loop(made: Path) -> None:
    import asyncio

    async def play() -> tuple[int, int]:
        with open_artifact(made) as session:
            return session.size

    assert asyncio.run(play()) == (32, 48)
