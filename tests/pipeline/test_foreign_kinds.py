"""Files of every foreign kind, converted to all four targets; each artifact's picture is compared with the file's
own.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import pocketlens
from pocketlens.pipeline.commands.convert import convert
from pocketlens.targets import every_target
from tests.converters.foreign_models import ChannelsLastBlock, Generator, Norm, tensorflow_file, torch_file

HEIGHT, WIDTH = 32, 48
SIGNED = ((-1.0, 1.0), (-1.0, 1.0))
ALL = every_target()

BY_HAND = (
    "pow, sqrt, div", "mul, rsqrt", "mul, power -1/2", "mean of squares", "mean of squares, clamped", "var, unbiased",
    "var",
    "multiplied out", "einsum, n - 1", "groups", "whole picture", "epsilon outside", "each pixel",
)  # fmt: skip
KNOWN = (
    nn.InstanceNorm2d(8), nn.GroupNorm(4, 8), nn.ReLU(), nn.BatchNorm2d(8), ChannelsLastBlock(),
    nn.InstanceNorm2d(8, affine=True),
)  # fmt: skip


def _norms(*norms: nn.Module) -> Generator:
    return Generator(nn.Sequential(*norms))


def _legacy(opset: int, *, free: bool = False) -> Callable[[Path], None]:
    return lambda path: torch_file(Generator(nn.GroupNorm(2, 8)), path, opset, dynamo=False, free=free)


def _dynamo(opset: int, *, free: bool = False) -> Callable[[Path], None]:
    return lambda path: torch_file(Generator(nn.GroupNorm(2, 8)), path, opset, dynamo=True, free=free)


def _constants_as_nodes(path: Path) -> None:
    _legacy(13)(path)
    model = onnx.load(path)
    for tensor in tuple(model.graph.initializer):
        model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    del model.graph.initializer[:]
    path.write_bytes(model.SerializeToString())


def _constants_as_inputs(path: Path) -> None:
    """As files before IR version 4 have them."""
    _legacy(11)(path)
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    path.write_bytes(model.SerializeToString())


def _external(path: Path) -> None:
    _legacy(17)(path)
    onnx.save_model(
        onnx.load(path),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
        all_tensors_to_one_file=True,
    )
    assert (path.parent / "weights.bin").stat().st_size > 1000 and path.stat().st_size < 20_000


def _half_weights_behind_casts(path: Path) -> None:
    _legacy(17)(path)
    model = onnx.load(path)
    for tensor in tuple(model.graph.initializer):
        if tensor.data_type == TensorProto.FLOAT:
            half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}_half")
            model.graph.node.insert(0, helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
            model.graph.initializer.remove(tensor)
            model.graph.initializer.append(half)
    path.write_bytes(model.SerializeToString())


def _half(path: Path, *, ends: bool) -> None:
    """A model that computes in halves: all of it, or between Casts behind the input and in front of the output."""
    nodes = [
        helper.make_node("Conv", ["a", "w"], ["b"], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["b"], ["c"], alpha=0.25),
        helper.make_node("Conv", ["c", "v"], ["d"]),
        helper.make_node("Tanh", ["d"], ["e"]),
    ]
    rng = np.random.default_rng(3)
    weights = {"w": rng.normal(0, 0.3, (6, 3, 3, 3)), "v": rng.normal(0, 0.6, (3, 6, 1, 1))}
    kind = TensorProto.FLOAT16 if ends else TensorProto.FLOAT
    if not ends:
        nodes.insert(0, helper.make_node("Cast", ["x"], ["a"], to=TensorProto.FLOAT16))
        nodes.append(helper.make_node("Cast", ["e"], ["y"], to=TensorProto.FLOAT))
    x, y = ("a", "e") if ends else ("x", "y")
    size = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        nodes, "halves", [helper.make_tensor_value_info(x, kind, size)], [helper.make_tensor_value_info(y, kind, size)],
        [numpy_helper.from_array(a.astype(np.float16), name) for name, a in weights.items()],
    )  # fmt: skip
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


KINDS: dict[str, tuple[Callable[[Path], None], float]] = {
    "legacy exporter, opset 11, all free": (_legacy(11, free=True), 100),
    "legacy exporter, opset 12": (_legacy(12), 100),
    "legacy exporter, opset 20": (_legacy(20), 100),
    "dynamo exporter, opset 18": (_dynamo(18), 100),
    "dynamo exporter, opset 23, batch and size free": (_dynamo(23, free=True), 100),
    "TensorFlow, channels last": (tensorflow_file, 100),
    "TensorFlow, channels last, size free, channels first out": (
        lambda path: tensorflow_file(path, 17, free=True, output="NCHW"), 100,
    ),
    "constants as nodes": (_constants_as_nodes, 100),
    "constants as inputs": (_constants_as_inputs, 100),
    "norms by hand, legacy": (
        lambda path: torch_file(_norms(*map(Norm, BY_HAND)), path, 13, dynamo=False), 90,
    ),
    "norms by hand, dynamo": (
        lambda path: torch_file(_norms(*map(Norm, BY_HAND)), path, 18, dynamo=True), 90,
    ),
    "norms that torch has, dynamo": (lambda path: torch_file(_norms(*KNOWN), path, 20, dynamo=True), 95),
    # Whose Reshapes merge, so that two norms stand behind one another on one view.
    "norms right behind one another, legacy": (
        lambda path: torch_file(_norms(nn.GroupNorm(4, 8), nn.GroupNorm(4, 8)), path, 17, dynamo=False), 90,
    ),
    "float16 weights behind casts": (_half_weights_behind_casts, 100),
    # The teacher computes in halves, the artifacts in floats.
    "float16 inside": (lambda path: _half(path, ends=False), 50),
    # Compared with the file's graph in floats, since the file's own pictures are rounded to halves.
    "float16, pictures too": (lambda path: _half(path, ends=True), 100),
    "external data": (_external, 100),
}  # fmt: skip
"""How a file of each kind is made, and the PSNR that each artifact has to reach."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_this_kind_goes_everywhere(kind: str, tmp_path: Path) -> None:
    write, least = KINDS[kind]
    precision = "fp16" if least < 80 else "fp32"  # whose floor is lower
    path = tmp_path / "mine.onnx"
    write(path)
    made = convert(str(path), ALL, [precision], tmp_path / "out", size=(HEIGHT, WIDTH), ranges=SIGNED)
    scores = {one.spec.target: one.verification.worst.psnr for one in made}
    assert tuple(scores) == ALL
    assert min(scores.values()) >= least, scores


def test_the_recipe_pins_a_free_size(tmp_path: Path) -> None:
    """One file without a size, two sizes in one bundle, one of them odd."""
    torch_file(Generator(nn.InstanceNorm2d(8, affine=True)), tmp_path / "free.onnx", 17, dynamo=False, free=True)
    targets = "\n".join(f'{target} = ["fp32"]' for target in ALL)
    (tmp_path / "free.toml").write_text(
        '[filter]\nname = "free"\nsource = "free.onnx"\nsizes = [[32, 48], [37, 51]]\ninput_range = [-1, 1]\n'
        f'output_range = [-1, 1]\nlicense = "MIT"\n[accelerators]\nlitert_gpu = "off"\n[targets]\n{targets}\n'
    )
    made = pocketlens.build(tmp_path / "free.toml", tmp_path / "free.bundle", bench=False)
    found = [(a.target, a.height, a.width) for a in made.manifest.artifacts]
    assert sorted(found) == sorted((t, h, w) for h, w in ((32, 48), (37, 51)) for t in ALL)
    assert min(a.scores.psnr for a in made.manifest.artifacts) > 95
    assert pocketlens.verify(made.path).verdict == "pass"
