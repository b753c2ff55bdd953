"""OpenVINO turns pixels into numbers and back itself."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from pocketlens import files, load
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.images import to_uint8
from pocketlens.runtimes.adapter import RUNTIMES, Options
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, small_graph


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ir") / "small.xml"
    emitter("openvino").emit(small_graph(), "fp32", Labels("small"), path)
    return path


def test_pictures_are_the_rounded_numbers(artifact: Path) -> None:
    with open_artifact(artifact) as session, open_artifact(artifact, exact=True) as exact:
        for seed in range(5):
            shown = picture(32, 48, seed)
            drawn, numbers = session(shown), exact.floats(shown)
            assert np.array_equal(drawn, to_uint8(numbers))
            assert np.array_equal(session.floats(shown), numbers)
            assert np.array_equal(exact(shown), drawn)


def test_pixels_go_in_and_out_where_they_may(artifact: Path) -> None:
    def ports(options: Options) -> list[tuple[str, tuple[int, ...]]]:
        player = RUNTIMES["openvino"].open(artifact, options)
        ports = [(port.dtype, port.shape) for port in (*player.inputs, *player.outputs)]
        player.close()
        return ports

    planes = ("float32", (1, 3, 32, 48))
    assert ports(Options()) == [planes] * 2
    assert ports(Options(pixels=True)) == [("uint8", (1, 32, 48, 3)), ("uint8", (1, 3, 32, 48))]
    assert ports(Options(pixels=True, compute_precision="bf16")) == [planes] * 2, "which would round pixels too"


def test_other_values_are_left_to_numpy(tmp_path: Path) -> None:
    hub.save(small_graph(), tmp_path / "small.onnx")
    with open_artifact(tmp_path / "small.onnx", "openvino", values=(0, 1)) as session:
        assert session(picture(32, 48)).max() <= 255
        assert session.floats(picture(32, 48)).shape == (32, 48, 3)


def test_a_compiled_model_is_kept_under_its_content(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "cache_folder", lambda: tmp_path / "cache")
    shown = picture(32, 48)
    with load(artifact, measure=False) as session:
        first = session(shown)
        assert np.array_equal(session.floats(shown).clip(0, 255).round().astype(np.uint8), first)
    entries = sorted((tmp_path / "cache/openvino").glob("*/content/compiled.blob"))
    assert len(entries) == 2, "one with pixels, one with the artifact's own numbers"

    def refuse(*given: object) -> None:
        raise AssertionError("it was compiled again")

    with monkeypatch.context() as patched:
        patched.setattr(ov.Core, "compile_model", refuse)
        with load(artifact, measure=False) as session:
            assert np.array_equal(session(shown), first)
            assert session.runtime_info.precision == "fp32"
    entries[0].write_bytes(b"damaged")
    entries[1].write_bytes(b"damaged")
    other = tmp_path / "other.xml"
    emitter("openvino").emit(small_graph(32, 48, 1), "fp32", Labels("small"), other)
    with load(artifact, measure=False) as session, load(other, measure=False) as another:
        assert np.array_equal(session(shown), first)
        assert not np.array_equal(another(shown), first)


def test_a_measurement_compiles_anew(artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "cache_folder", lambda: tmp_path / "cache")
    RUNTIMES["openvino"].open(artifact, Options(pixels=True)).close()
    assert not (tmp_path / "cache").exists()
