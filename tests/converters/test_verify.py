"""A wrong file is caught: what other tools have got wrong with exit code 0 must fail here."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.emitter import Labels, emitter, refuse
from pocketlens.converters.verify import verify_artifact
from pocketlens.errors import UnsupportedError, VerificationError
from pocketlens.files import sha256
from pocketlens.models.teacher import torch_teacher
from pocketlens.precisions import PRECISIONS
from pocketlens.targets import TARGETS
from tests.generators import SIGNED, picture, seeded, small_graph

PICTURES = [picture(32, 48, seed) for seed in range(2)]


@pytest.fixture(scope="module")
def teachers() -> list[np.ndarray]:
    teacher = torch_teacher(seeded(), SIGNED)
    return [teacher(p) for p in PICTURES]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("precision", [name for name, one in PRECISIONS.items() if not one.is_low_bit])
def test_every_target_computes_what_the_teacher_computes(
    tmp_path: Path, teachers: list[np.ndarray], target: str, precision: str
) -> None:
    paths = [tmp_path / name / f"small{TARGETS[target].suffix}" for name in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        emitter(target).emit(small_graph(), precision, Labels("small", license="MIT"), path)
        verified = verify_artifact(path, PRECISIONS[precision].floors, PICTURES, teachers)
        assert verified.worst.psnr >= PRECISIONS[precision].floors.file
        assert verified.worst.ssim > 0.999
    assert sha256(paths[0].parent) == sha256(paths[1].parent)


def _change_weight(graph: ir.Model, layer: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    value = next(v for name, v in graph.graph.initializers.items() if name.startswith(layer))
    value.const_value = ir.tensor(change(np.array(constant(value))), name=value.name)


def _swap_channels(graph: ir.Model) -> None:
    _change_weight(graph, "down.weight", lambda w: np.ascontiguousarray(w[:, ::-1]))


def _zero_kernel(graph: ir.Model) -> None:
    def zero_first(w: np.ndarray) -> np.ndarray:
        w[0] = 0
        return w

    _change_weight(graph, "up.weight", zero_first)


def _shift_padding(graph: ir.Model) -> None:
    conv = next(n for n in graph.graph if n.op_type == "Conv" and hub.ints(n, "strides", (1, 1)) == (2, 2))
    conv.attributes["pads"] = ir.AttrInt64s("pads", [0, 0, 2, 2])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("damage", [_swap_channels, _zero_kernel, _shift_padding])
def test_wrong_files_are_caught(
    tmp_path: Path, teachers: list[np.ndarray], target: str, damage: Callable[[ir.Model], None]
) -> None:
    graph = small_graph()
    damage(graph)
    path = tmp_path / f"wrong{TARGETS[target].suffix}"
    emitter(target).emit(graph, "fp32", Labels("wrong"), path)
    with pytest.raises(VerificationError, match=r"is wrong: .* dB against the teacher"):
        verify_artifact(path, PRECISIONS["fp16"].floors, PICTURES, teachers)


@pytest.mark.parametrize("target", TARGETS)
def test_unknown_operators_are_refused_before_any_work(target: str) -> None:
    graph = small_graph()
    tail = graph.graph[-1]
    odd = ir.node("Wobble", [tail.inputs[0]], domain="com.example", name="the_odd_one")
    odd.outputs[0].shape, odd.outputs[0].dtype = tail.inputs[0].shape, ir.DataType.FLOAT
    graph.graph.insert_before(tail, odd)
    graph.opset_imports["com.example"] = 1
    tail.replace_input_with(0, odd.outputs[0])
    with pytest.raises(UnsupportedError, match=rf"{target}: Wobble 'the_odd_one'"):
        refuse(graph, [target])
