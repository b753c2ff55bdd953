"""OpenVINO turns pixels into numbers and back itself."""

from pathlib import Path

import numpy as np
import pytest

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

    planes, pixels = ("float32", (1, 3, 32, 48)), ("uint8", (1, 32, 48, 3))
    assert ports(Options()) == [planes] * 2
    assert ports(Options(pixels=True)) == [pixels] * 2
    assert ports(Options(pixels=True, compute_precision="bf16")) == [planes] * 2, "which would round pixels too"


def test_other_values_are_left_to_numpy(tmp_path: Path) -> None:
    hub.save(small_graph(), tmp_path / "small.onnx")
    with open_artifact(tmp_path / "small.onnx", "openvino", values=(0, 1)) as session:
        assert session(picture(32, 48)).max() <= 255
        assert session.floats(picture(32, 48)).shape == (32, 48, 3)
