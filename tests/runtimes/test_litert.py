import random
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from pocketlens.errors import InputError, MissingError
from pocketlens.runtimes import litert, litert_lean, litert_library
from pocketlens.runtimes.adapter import Options
from pocketlens.runtimes.litert_process import EngineProcess
from pocketlens.runtimes.session import open_artifact
from tests.converters.tflite.harness import emit_bytes, model, node
from tests.generators import picture, small_graph


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("litert") / "small.tflite"
    path.write_bytes(emit_bytes(small_graph()))
    return path


def test_facts(artifact: Path) -> None:
    with open_artifact(artifact, threads=2) as session:
        assert session.runtime == "litert"
        assert session.size == (32, 48)
        assert session.runtime_info.threads == 2
        assert session.runtime_info.precision == "fp32"
        assert session.runtime_info.partitions == 1
        assert session.runtime_info.version[0].isdigit()


def test_a_result_is_not_overwritten_by_the_next(artifact: Path) -> None:
    with open_artifact(artifact) as session:
        first = session.floats(picture(32, 48))
        kept = first.copy()
        second = session.floats(picture(32, 48, seed=1))
        assert np.array_equal(first, kept)
        assert not np.array_equal(first, second)
        assert np.array_equal(session.floats(picture(32, 48)), kept)


def test_it_takes_what_is_not_contiguous(artifact: Path) -> None:
    pixels = picture(32, 48)
    with open_artifact(artifact) as session:
        assert np.array_equal(session(np.ascontiguousarray(pixels[:, ::-1])[:, ::-1]), session(pixels))


def test_a_large_file_plays_in_a_process_of_its_own_with_the_same_numbers(
    artifact: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where LiteRT takes less memory; the process says nothing."""
    monkeypatch.setattr(litert_lean, "LARGE", 32 * 48)
    outputs = []
    for options in (Options(lean=True), Options()):
        player = litert.Player(artifact, options)
        assert player.runtime_info.partitions == (None if options.lean else 1)
        np.copyto(player.feed(0), picture(32, 48)[None])
        player.run()
        outputs.append(player.result(0).copy())
        player.close()
    assert np.array_equal(*outputs) and np.ptp(outputs[0]) > 10
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere"])
def test_a_large_file_plays_where_that_process_cannot_start(
    python: str, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where LiteRT lacks what the process needs, and where the system starts no other."""
    monkeypatch.setattr(litert_lean, "LARGE", 32 * 48)
    monkeypatch.setattr(sys, "executable", python)
    player = litert.Player(artifact, Options(lean=True))
    assert player.runtime_info.partitions == 1
    player.close()


def test_what_counts_as_large() -> None:
    def is_large(*shapes: tuple[int, ...]) -> bool:
        details = [{"shape": np.array(shape), "shape_signature": np.array(shape)} for shape in shapes]
        return litert_lean.is_large(
            SimpleNamespace(get_input_details=lambda: details, get_signature_list=lambda: {"serving_default": {}})
        )

    assert is_large((1, 512, 512, 3)) and is_large((1, 512, 512, 3), ())  # a number beside the picture
    assert not is_large((1, 512, 511, 3)) and not is_large((1, 512, 512, 3), (-1, 4)) and not is_large()


def test_an_answer_is_not_taken_for_that_of_the_next_question(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = EngineProcess("LiteRT", 60, "", 1)
    engine.load(artifact)

    def stop(self: Connection, seconds: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Connection, "poll", stop)
    with pytest.raises(KeyboardInterrupt):
        engine.run(artifact)
    assert engine.closed


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"\0" * 1000, b"hello world" * 100, b"\x1c\0\0\0TFL3" + b"\xff" * 500]
)
def test_what_is_no_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.tflite"):
        open_artifact(path)


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").mkdir()
    with pytest.raises(InputError, match="not a file"):
        open_artifact(tmp_path / "x.tflite")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_model(part: float, artifact: Path, tmp_path: Path) -> None:
    data = artifact.read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(InputError):
        open_artifact(path)


def test_flipped_bits_never_crash(artifact: Path, tmp_path: Path) -> None:
    # In a process of its own: a crash there is a failure here, not the end of all tests.
    data = artifact.read_bytes()
    rng = random.Random(0)
    paths = []
    for i in range(60):
        broken = bytearray(data)
        broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        paths.append(tmp_path / f"{i}.tflite")
        paths[-1].write_bytes(broken)
    code = (
        "import sys\nfrom pathlib import Path\nfrom pocketlens.errors import InputError\n"
        "from pocketlens.runtimes import litert\nfrom pocketlens.runtimes.adapter import Options\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n        litert.Player(Path(name), Options(1)).close()\n    except InputError:\n        pass\n"
        "print('alive')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "alive", done.stderr[-500:]


def test_a_shape_of_gigabytes(artifact: Path, tmp_path: Path) -> None:
    damaged = schema.ModelT.InitFromPackedBuf(artifact.read_bytes())
    damaged.subgraphs[0].tensors[5].shape = [1, 1 << 29, 1, 8]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(damaged.Pack(builder), b"TFL3")
    path = tmp_path / "x.tflite"
    path.write_bytes(builder.Output())
    with pytest.raises(InputError, match="4,294,967,296 values"):
        open_artifact(path)


def test_a_model_that_takes_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "features.tflite"
    path.write_bytes(emit_bytes(model(node("Relu"))))
    with pytest.raises(InputError, match=r"expected float32 \[1, height, width, 3\]"):
        open_artifact(path)


def test_tflite_runtime_beside_numpy_2(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What find_spec says where only tflite-runtime is installed; the library itself needs numpy 1 and cannot be here.
    monkeypatch.setattr(litert_library, "find_spec", lambda name: name == "tflite_runtime" or None)
    monkeypatch.setattr(np, "__version__", "2.4.6")
    with pytest.raises(MissingError, match="numpy 1") as raised:
        litert.Player(artifact, Options())
    assert "ai-edge-litert" in raised.value.do


def test_nothing_installed(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert_library, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="not installed"):
        litert.Player(artifact, Options())
