"""The same plan in each target's file: small, close to the graph it was made from, in integers."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.quantization.plan import default_plan
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.verify import verify_artifact
from pocketlens.errors import VerificationError
from pocketlens.models.export import export
from pocketlens.precisions import PRECISIONS
from pocketlens.quality import psnr
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS, every_target
from tests.generators import fast_style, picture, small_graph


@pytest.mark.parametrize(("target", "name"), [("onnx", "a.onnx"), ("openvino", "a.xml"), ("tflite", "a.tflite")])
def test_file_gives_what_its_graph_gives(tmp_path: Path, target: str, name: str) -> None:
    made = quantize(
        small_graph(), default_plan("int8"), [picture(32, 48, seed) for seed in (1, 2, 3)], TARGETS[target].quantizers
    )
    emitter(target).emit(made, "int8", Labels("small"), tmp_path / name)
    emitter(target).emit(made, "int8", Labels("small"), tmp_path / f"again-{name}")
    judged = picture(32, 48, 7)
    with open_artifact(tmp_path / name) as session:
        played, pixels = session.floats(judged), session(judged)
        if target == "tflite":
            assert session.runtime_info.partitions == 1
    assert np.array_equal(played, pixels), "bytes come out"
    assert psnr(simulate(made, [judged])[0], played) > 45
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
    data = tmp_path / name if target != "openvino" else tmp_path / "a.bin"
    if target != "tflite":  # whose kernels of two thousand weights are lost in what else the file holds
        assert data.stat().st_size < 40_000


@pytest.mark.parametrize("target", every_target())
def test_a_wrong_file_does_not_pass_for_a_rounded_one(tmp_path: Path, shared: Path, target: str) -> None:
    shown = [picture(64, 64, seed) for seed in (4, 5)]
    module = fast_style(shared / "data/fast_style/wave.npz")
    made = quantize(
        export(module, 64, 64, Ranges()),
        default_plan("int8"),
        [picture(64, 64, seed) for seed in (1, 2, 3)],
        TARGETS[target].quantizers,
    )
    meant = simulate(made, shown)
    name = next(n for n in made.graph.initializers if n.startswith("blocks.1.second") and n.endswith("_int"))
    weights = np.array(hub.initializer(made.graph.initializers[name]))

    def verified(changed: np.ndarray, kind: str) -> float | None:
        made.graph.initializers[name].const_value = ir.tensor(changed, name=name)
        path = tmp_path / f"{kind}{TARGETS[target].suffix}"
        emitter(target).emit(made, "int8", Labels(kind), path)
        return verify_artifact(path, PRECISIONS["int8"].floors, shown, meant, graph_outputs=meant).agreement

    assert (verified(weights, "right") or 0) > PRECISIONS["int8"].floors.file
    wrong = weights.copy()
    wrong[:4] = -np.maximum(wrong[:4], -127)
    with pytest.raises(VerificationError, match="against the graph that it was made from"):
        verified(wrong, "wrong")
