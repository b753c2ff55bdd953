"""Every generator becomes one graph: fixed size, pixels in and out, the same picture as the torch module."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models.export import export
from pocketlens.models.teacher import torch_teacher
from pocketlens.quality import compare
from pocketlens.runtimes.session import open_artifact
from tests.generators import SIGNED, Small, fast_style, picture, seeded, small_graph


def test_graph_keeps_its_contract_and_its_picture(tmp_path: Path) -> None:
    graph = small_graph()
    hub.check(graph)
    assert hub.size(graph) == (32, 48)
    hub.save(graph, tmp_path / "g.onnx")
    image = picture(32, 48)
    with open_artifact(tmp_path / "g.onnx", "onnxruntime") as session:
        found = session.floats(image)
    assert compare(torch_teacher(seeded(), SIGNED)(image), found).psnr > 100
    assert found.min() >= 0 and found.max() <= 255


def test_same_generator_gives_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        hub.save(small_graph(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("name", ["wave", "la_muse", "scream"])
def test_real_generators(shared: Path, tmp_path: Path, name: str) -> None:
    module = fast_style(shared / f"data/fast_style/{name}.npz")
    golden = np.load(shared / "golden/fast_style.npz")
    graph = export(module, 128, 128, Ranges())
    assert not any(node.op_type in ("Pad", "Slice") for node in graph.graph)
    assert hub.parameters(graph) == pytest.approx(1_677_638, abs=10)
    hub.save(graph, tmp_path / "g.onnx")
    with open_artifact(tmp_path / "g.onnx", "onnxruntime") as session:
        found = session.floats(golden["input"])
    assert compare(np.clip(golden[name], 0, 255), found).psnr > 100


def test_nan_weights_are_named() -> None:
    module = seeded()
    with torch.no_grad():
        module.last.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="NaN or infinity"):
        export(module, 32, 32, SIGNED)


def test_sizes_that_a_generator_cannot_keep() -> None:
    with pytest.raises(InputError, match="33"):
        export(seeded(Small), 33, 32, SIGNED)
