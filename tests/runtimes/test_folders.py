import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pocketlens import images
from pocketlens.converters import graph as hub
from pocketlens.errors import InputError
from pocketlens.runtimes.folders import PictureJob, stylize_files
from pocketlens.runtimes.session import Session, open_artifact
from tests.generators import picture, small_graph


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    hub.save(small_graph(32, 48), tmp_path / "small.onnx")
    with open_artifact(tmp_path / "small.onnx", "onnxruntime", 1) as opened:
        yield opened


def jobs(folder: Path, count: int) -> list[PictureJob]:
    found = []
    for index in range(count):
        images.write(folder / f"in/{index}.png", picture(33 + index % 3, 44))
        found.append(PictureJob(folder / f"in/{index}.png", folder / f"out/{index}.png"))
    return found


def test_two_sessions_give_what_one_gives_and_play_at_the_same_time(session: Session, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    todo = jobs(tmp_path, 12)
    with session.another() as other:
        assert other is not session and other.sizes == session.sizes and other.runtime == session.runtime
        done = list(stylize_files([session, other], todo, lambda *state: told.append(state)))
        assert [finished.job for finished in done] == todo
        for job in todo:
            assert np.array_equal(images.read(job.target), session(images.read(job.source)))
    assert [count for _, count, _ in told] == list(range(1, 13)) and "a second" in told[-1][0]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pocketlens pictures")]


def test_a_result_that_cannot_be_written_ends_it(session: Session, tmp_path: Path) -> None:
    todo = jobs(tmp_path, 6)
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="cannot write"):
        list(stylize_files([session], todo))
