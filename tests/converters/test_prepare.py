"""Files that others wrote become the graph, with the same picture and with nothing in it that a target would refuse."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import emitter
from pocketlens.converters.prepare import prepare, read_onnx
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models.teacher import onnx_teacher, torch_teacher
from pocketlens.quality import compare
from pocketlens.runtimes.session import open_artifact
from tests.converters.foreign_models import (
    HEIGHT,
    WIDTH,
    ChannelsLastBlock,
    Generator,
    Norm,
    convert,
    tensorflow_file,
    torch_file,
)
from tests.generators import SIGNED, picture, seeded

INSTANCE = [
    "pow, sqrt, div", "mul, rsqrt", "mul, power -1/2", "mean of squares", "mean of squares, clamped", "var, unbiased",
    "var",
    "multiplied out",
]  # fmt: skip


@pytest.mark.parametrize("dynamo", [False, True])
def test_norms_that_torch_takes_apart(tmp_path: Path, dynamo: bool) -> None:
    for way in INSTANCE[5 if dynamo else 0 :]:
        torch_file(Generator(Norm(way)), tmp_path / "m.onnx", 18 if dynamo else 13, dynamo=dynamo)
        found = convert(tmp_path / "m.onnx")
        assert found["InstanceNormalization"] == 1, way
        assert not {"ReduceMean", "Sqrt", "Div", "Sub", "Reshape"} & set(found), way
    for way in ("groups", "whole picture"):
        torch_file(Generator(Norm(way)), tmp_path / "m.onnx", 18 if dynamo else 13, dynamo=dynamo)
        found = convert(tmp_path / "m.onnx")
        assert (found["InstanceNormalization"], found["Reshape"], found["ReduceMean"]) == (1, 2, 0), way
    for way in () if dynamo else ("epsilon outside", "each pixel"):
        torch_file(Generator(Norm(way)), tmp_path / "m.onnx", 18 if dynamo else 13, dynamo=dynamo)
        found = convert(tmp_path / "m.onnx")
        assert (found["InstanceNormalization"], found["ReduceMean"]) == (0, 2), way


@pytest.mark.parametrize("dynamo", [False, True])
def test_norms_that_torch_knows(tmp_path: Path, dynamo: bool) -> None:
    norms = {
        "instance": nn.InstanceNorm2d(8), "instance, affine": nn.InstanceNorm2d(8, affine=True),
        "batch": nn.BatchNorm2d(8),
        "group": nn.GroupNorm(4, 8), "layer": nn.LayerNorm([8, HEIGHT // 2, WIDTH // 2]), "pixel": ChannelsLastBlock(),
    }  # fmt: skip
    for name, norm in norms.items():
        torch_file(Generator(norm), tmp_path / "m.onnx", 20 if dynamo else 17, dynamo=dynamo)
        found = convert(tmp_path / "m.onnx")
        assert not {"Transpose", "MatMul", "BatchNormalization", "LayerNormalization"} & set(found), name
        assert found["InstanceNormalization"] == (name not in ("batch", "pixel"))
        graph = prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)
        for target in ("tflite", "coreml", "onnx"):
            assert not emitter(target).refusals(graph), (name, target)


@pytest.mark.parametrize("opset", [9, 10, 11, 12, 14, 16, 18, 20])
def test_opsets_of_the_legacy_exporter(tmp_path: Path, opset: int) -> None:
    for up in ("nearest", "bilinear", *(["corners"] if opset > 10 else [])):
        norm = nn.GroupNorm(2, 8) if opset > 10 else nn.InstanceNorm2d(8, affine=True)
        generator = Generator(norm, up)
        if opset < 11:
            generator.border = nn.ZeroPad2d(1)
        torch_file(generator, tmp_path / "m.onnx", opset, dynamo=False, free=opset > 10)
        assert not {"Shape", "Gather", "Upsample", "Cast", "Slice"} & set(convert(tmp_path / "m.onnx"))


@pytest.mark.parametrize("opset", [18, 20, 23])
def test_opset_of_the_dynamo_exporter(tmp_path: Path, opset: int) -> None:
    torch_file(Generator(nn.GroupNorm(2, 8)), tmp_path / "m.onnx", opset, dynamo=True, free=opset == 20)
    found = convert(tmp_path / "m.onnx")
    assert (found["InstanceNormalization"], found["GroupNormalization"], found["Shape"]) == (1, 0, 0)


@pytest.mark.parametrize("opset", [13, 17, 21, onnx.defs.onnx_opset_version()])
def test_a_real_network_at_newer_opsets(tmp_path: Path, opset: int) -> None:
    torch_file(seeded(), tmp_path / "m.onnx", 13, dynamo=False)
    model = onnx.version_converter.convert_version(onnx.load(tmp_path / "m.onnx"), min(opset, 20))
    model.opset_import[0].version = opset
    model.ir_version = 10
    onnx.checker.check_model(model)
    (tmp_path / "n.onnx").write_bytes(model.SerializeToString())
    graph = prepare(read_onnx(tmp_path / "n.onnx"), HEIGHT, WIDTH, SIGNED)
    assert graph.opset_imports[""] == hub.OPSET


def _file(
    path: Path, nodes: list[onnx.NodeProto], tensors: list[onnx.TensorProto], opset: int = 20, **more: object
) -> None:
    kind = more.get("kind", TensorProto.FLOAT)
    shape = more.get("shape", [1, 3, HEIGHT, WIDTH])
    given = helper.make_tensor_value_info("x", kind, shape)
    taken = helper.make_tensor_value_info("y", more.get("given", kind), [None] * 4)
    graph = helper.make_graph(nodes, "g", [given], [taken], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    path.write_bytes(model.SerializeToString())


def _random(*shape: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return values.astype(np.float32)


@pytest.mark.parametrize("opset", [18, 21])
def test_group_normalization_of_either_kind(tmp_path: Path, opset: int) -> None:
    """Its scale is a group's until opset 20 and a channel's after."""
    count = 2 if opset < 21 else 6
    arrays = {"w": _random(6, 3, 1, 1), "v": _random(3, 6, 1, 1), "g": 1 + _random(count), "b": _random(count)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("GroupNormalization", ["a", "g", "b"], ["n"], num_groups=2, name="norm"),
        helper.make_node("Conv", ["n", "v"], ["y"]),
    ]
    _file(tmp_path / "m.onnx", nodes, [numpy_helper.from_array(a, n) for n, a in arrays.items()], opset)
    found = convert(tmp_path / "m.onnx")
    assert (found["InstanceNormalization"], found["GroupNormalization"]) == (1, 0)


def test_swish_and_operators_that_are_too_new(tmp_path: Path) -> None:
    _file(tmp_path / "m.onnx", [helper.make_node("Swish", ["x"], ["y"], alpha=1.5)], [], 24)
    graph = prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)
    assert {"Sigmoid", "Mul"} <= {node.op_type for node in graph.graph}
    _file(tmp_path / "m.onnx", [helper.make_node("SpaceToDepth", ["x"], ["y"], blocksize=1, mode="DCR")], [], 28)
    prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)
    axis = numpy_helper.from_array(np.array(1), "axis")
    _file(tmp_path / "m.onnx", [helper.make_node("CumProd", ["x", "axis"], ["y"], name="run")], [axis], 26)
    with pytest.raises(InputError, match="CumProd 'run' of opset 26"):
        prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)


@pytest.mark.parametrize(("opset", "output", "free"), [(13, "NHWC", False), (13, "NCHW", True), (17, "NHWC", True)])
def test_channels_last_from_tensorflow(tmp_path: Path, opset: int, output: str, free: bool) -> None:
    tensorflow_file(tmp_path / "m.onnx", opset, free=free, output=output)
    found = convert(tmp_path / "m.onnx")
    assert found["Transpose"] == 0
    assert (found["InstanceNormalization"], found["Conv"], found["Resize"]) == (1, 3, 1)
    assert not {"Shape", "Slice", "Sqrt"} & set(found)
    graph = prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)
    for target in ("tflite", "coreml", "openvino", "onnx"):
        assert not emitter(target).refusals(graph), target


@pytest.mark.parametrize("dims", [["n", 3, "h", "w"], [-1, 3, -1, -1], [0, 3, 0, 0], [None] * 4, [1, 3, HEIGHT, "w"]])
def test_free_dimensions_of_every_kind(tmp_path: Path, dims: list[object]) -> None:
    _file(tmp_path / "m.onnx", [helper.make_node("Tanh", ["x"], ["y"])], [])
    model = onnx.load(tmp_path / "m.onnx")
    shape = model.graph.input[0].type.tensor_type.shape
    for dim, value in zip(shape.dim, dims, strict=True):
        dim.Clear()
        if isinstance(value, int):
            dim.dim_value = value
        elif value is not None:
            dim.dim_param = str(value)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert hub.size(prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)) == (HEIGHT, WIDTH)


def _cast_everything(path: Path, kind: int, dtype: type) -> None:
    """A model as if it had been exported after ``.half()`` or ``.double()``."""
    model = onnx.load(path)
    scales = {name for node in model.graph.node if node.op_type == "Resize" for name in node.input[1:]}
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in scales:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(dtype), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = kind
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.t.data_type == TensorProto.FLOAT and node.output[0] not in scales:
                attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(dtype)))
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = kind
    del model.graph.value_info[:]
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("kind", "dtype", "least"), [(TensorProto.FLOAT16, np.float16, 40), (TensorProto.DOUBLE, np.float64, 100)]
)
def test_other_floats_become_float32(tmp_path: Path, kind: int, dtype: type, least: float) -> None:
    path = tmp_path / "m.onnx"
    torch_file(Generator(nn.InstanceNorm2d(8, affine=True), "nearest"), path, 13, dynamo=False)
    teacher = onnx_teacher(path, SIGNED)(picture(HEIGHT, WIDTH))  # onnxruntime has no float64 convolution
    _cast_everything(path, kind, dtype)
    graph = prepare(read_onnx(path), HEIGHT, WIDTH, SIGNED)
    assert "Cast" not in {node.op_type for node in graph.graph}
    floats = {v.dtype for v in graph.graph.initializers.values() if v.dtype is not None and v.dtype.is_floating_point()}
    assert floats == {ir.DataType.FLOAT}
    hub.save(graph, tmp_path / "g.onnx")
    assert compare(teacher, onnx_teacher(tmp_path / "g.onnx", Ranges())(picture(HEIGHT, WIDTH))).psnr > least


def test_float16_weights_behind_casts(tmp_path: Path) -> None:
    half = numpy_helper.from_array(_random(3, 3, 3, 3).astype(np.float16), "h")
    nodes = [
        helper.make_node("Cast", ["h"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1]),
    ]
    _file(tmp_path / "m.onnx", nodes, [half])
    assert set(convert(tmp_path / "m.onnx")) == {"Add", "Conv", "Clip"}


@pytest.mark.parametrize("turned_last", [False, True])
def test_uint8_pictures(tmp_path: Path, turned_last: bool) -> None:
    last = ["Cast", "Transpose"] if turned_last else ["Transpose", "Cast"]
    attributes: dict[str, dict[str, object]] = {"Transpose": {"perm": [0, 2, 3, 1]}, "Cast": {"to": TensorProto.UINT8}}
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["p"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["p", "w"], ["c"]),
        helper.make_node("Clip", ["c", "low", "high"], ["k"]),
        helper.make_node(last[0], ["k"], ["q"], **attributes[last[0]]),
        helper.make_node(last[1], ["q"], ["y"], **attributes[last[1]]),
    ]
    weight = np.abs(_random(3, 3, 1, 1))
    arrays = {"w": weight, "low": np.float32(0), "high": np.float32(255)}
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()]
    shape = ["n", "h", "w", 3]
    _file(tmp_path / "m.onnx", nodes, tensors, kind=TensorProto.UINT8, shape=shape)
    graph = prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, Ranges())
    assert [node.op_type for node in graph.graph][:1] == ["Conv"]
    assert not {"Cast", "Transpose"} & {node.op_type for node in graph.graph}
    hub.save(graph, tmp_path / "g.onnx")
    image = picture(HEIGHT, WIDTH)
    found = onnx_teacher(tmp_path / "g.onnx", Ranges())(image)
    assert compare(onnx_teacher(tmp_path / "m.onnx", Ranges())(image), found).psnr > 100
    with pytest.raises(InputError, match="uint8, but"):
        prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)


def test_initializers_that_are_inputs_too_and_constants_as_nodes(tmp_path: Path) -> None:
    torch_file(Generator(nn.InstanceNorm2d(8, affine=True)), tmp_path / "m.onnx", 13, dynamo=False)
    model = onnx.load(tmp_path / "m.onnx")
    for index, tensor in enumerate(tuple(model.graph.initializer)):
        if index % 2:
            info = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            model.graph.input.append(info)
        else:
            model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
            model.graph.initializer.remove(tensor)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert convert(tmp_path / "m.onnx")["Constant"] == 0


def test_what_other_domains_have_is_refused_by_name(tmp_path: Path) -> None:
    _file(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], [])
    model = onnx.load(tmp_path / "m.onnx")
    model.graph.node.append(helper.make_node("BiasGelu", ["y", "y"], ["z"], "fused", domain="com.microsoft"))
    model.graph.node.append(helper.make_node("Add", ["y", "z"], ["end"]))
    model.graph.output[0].name = "end"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"BiasGelu 'fused' of 'com\.microsoft'"):
        prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)


def test_inputs_that_nothing_reads_are_named(tmp_path: Path) -> None:
    _file(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], [])
    model = onnx.load(tmp_path / "m.onnx")
    model.graph.input.append(helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 8]))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="'style' which nothing reads"):
        prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED)


def test_a_branch_on_a_constant_is_folded(tmp_path: Path) -> None:
    def branch(op: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info("r", TensorProto.FLOAT, [None] * 4)
        return helper.make_graph([helper.make_node(op, ["x"], ["r"])], op, [], [out])

    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=branch("Tanh"), else_branch=branch("Relu"), name="if")]
    _file(tmp_path / "m.onnx", nodes, [numpy_helper.from_array(np.array(True), "c")])
    assert convert(tmp_path / "m.onnx")["Tanh"] == 1


def test_same_file_gives_same_bytes(tmp_path: Path) -> None:
    tensorflow_file(tmp_path / "m.onnx")
    for name in ("a", "b"):
        hub.save(prepare(read_onnx(tmp_path / "m.onnx"), HEIGHT, WIDTH, SIGNED), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def _legacy_export(module: torch.nn.Module, path: Path, **options: object) -> None:
    torch.onnx.export(
        module, (torch.zeros(1, 3, 32, 48),), str(path), dynamo=False, opset_version=13,
        input_names=["x"], output_names=["y"], **options,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("axes", [None, {"x": {0: "n", 2: "h", 3: "w"}, "y": {0: "n", 2: "h", 3: "w"}}])
def test_onnx_files_with_fixed_or_free_sizes(tmp_path: Path, axes: object) -> None:
    _legacy_export(seeded(), tmp_path / "m.onnx", dynamic_axes=axes)
    graph = prepare(read_onnx(tmp_path / "m.onnx"), 32, 48, SIGNED)
    hub.save(graph, tmp_path / "g.onnx")
    image = picture(32, 48)
    with open_artifact(tmp_path / "g.onnx", "onnxruntime") as session:
        found = session.floats(image)
    assert compare(torch_teacher(seeded(), SIGNED)(image), found).psnr > 100
    assert compare(onnx_teacher(tmp_path / "m.onnx", SIGNED)(image), found).psnr > 100


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_size_that_the_file_was_not_exported_with(tmp_path: Path) -> None:
    _legacy_export(seeded(), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="height 32, expected 64"):
        prepare(read_onnx(tmp_path / "m.onnx"), 64, 64, SIGNED)


def _model(nodes: list[onnx.NodeProto], channels: int = 3, inputs: int = 1) -> ir.Model:
    given = [
        helper.make_tensor_value_info(f"x{i}" if i else "x", TensorProto.FLOAT, [1, channels, 16, 16])
        for i in range(inputs)
    ]
    taken = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    opsets = [helper.make_opsetid("", 20)]
    return ir.from_proto(helper.make_model(helper.make_graph(nodes, "g", given, taken), opset_imports=opsets))


def test_what_is_no_generator_is_refused() -> None:
    with pytest.raises(InputError, match="channels 1, expected 3"):
        prepare(_model([helper.make_node("Relu", ["x"], ["y"])], channels=1), 16, 16, Ranges())
    with pytest.raises(InputError, match="2 inputs"):
        prepare(_model([helper.make_node("Add", ["x", "x1"], ["y"])], inputs=2), 16, 16, Ranges())
    with pytest.raises(InputError, match="leaves as"):
        prepare(_model([helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])]), 16, 16, Ranges())
