import os
import signal
from pathlib import Path

import numpy as np
import pytest

from pocketlens.errors import InputError, MissingError
from pocketlens.pipeline.commands.place import place_file
from pocketlens.runtimes import litert_gpu, vulkan
from pocketlens.runtimes.litert_process import EngineError, EngineProcess
from pocketlens.runtimes.session import open_artifact
from tests.converters.tflite.harness import emit_bytes
from tests.generators import picture, small_graph

MISSING = litert_gpu.missing()
needs_engine = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("litert-gpu") / "small.tflite"
    path.write_bytes(emit_bytes(small_graph()))
    return path


@needs_engine
def test_it_gives_the_processors_picture(artifact: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with open_artifact(artifact) as session:
        expected = [session.floats(picture(32, 48, seed)) for seed in (0, 1)]
    capfd.readouterr()
    with open_artifact(artifact, accelerator="gpu") as session:
        first = session.floats(picture(32, 48, 0))
        second = session.floats(picture(32, 48, 1))
        info = session.runtime_info
    np.testing.assert_allclose([first, second], expected, atol=0.05)
    assert info.delegate and not info.elsewhere
    assert info.emulated == ("SwiftShader" in info.delegate)
    assert capfd.readouterr() == ("", "")  # what engine and driver print reaches nobody


@needs_engine
@pytest.mark.parametrize("content", [b"\0" * 1000, b"\x1c\0\0\0TFL3" + b"\xff" * 500])
def test_what_is_no_model(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.tflite"):
        open_artifact(tmp_path / "x.tflite", accelerator="gpu")


@needs_engine
def test_a_crash_and_a_hang_cost_only_the_engine(artifact: Path) -> None:
    engine = litert_gpu.start()
    engine.load(artifact)
    os.kill(engine._process.pid, signal.SIGSEGV)
    with pytest.raises(EngineError, match=r"crashed \(SIGSEGV\) with small\.tflite"):
        engine.run(artifact)
    engine = EngineProcess("GPU engine", 10, "")
    engine.load(artifact)
    engine._seconds = 0.3
    os.kill(engine._process.pid, signal.SIGSTOP)
    with pytest.raises(EngineError, match=r"did not answer within 0 s for small\.tflite"):
        engine.run(artifact)
    assert engine._process.returncode == -signal.SIGKILL
    assert not Path(engine._folder.name).exists()


@needs_engine
def test_a_file_that_was_taken_and_fails_is_not_refused(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may play the next time: nothing is known of it."""
    ask = EngineProcess._ask

    def fail(self: EngineProcess, path: Path, *question: object) -> tuple[object, ...]:
        if question == ("run",):
            raise InputError("Failed to lock custom tensor buffer.", do="use the processor")
        return ask(self, path, *question)

    monkeypatch.setattr(EngineProcess, "_ask", fail)
    ((placement, *_),) = place_file(artifact).values()
    assert (placement.accelerator, placement.status) == ("litert-gpu", "unchecked")
    assert "Failed to lock" in placement.reason


def test_no_driver(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulkan, "_loader", lambda: None)
    with pytest.raises(MissingError, match=r"libvulkan.so.1[\s\S]*apt-get install chromium"):
        open_artifact(artifact, accelerator="gpu")
