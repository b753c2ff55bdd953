"""Generators as other tools write them."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

from pocketlens.converters import graph as hub
from pocketlens.converters.prepare import prepare, read_onnx
from pocketlens.models.teacher import onnx_teacher
from pocketlens.quality import compare
from pocketlens.runtimes.session import open_artifact
from tests.generators import SIGNED, picture

HEIGHT, WIDTH = 32, 48


class Norm(nn.Module):
    """An affine normalization over some axes, written by hand in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.way = way
        self.scale = nn.Parameter(torch.randn(1, 8, 1, 1))
        self.shift = nn.Parameter(torch.randn(1, 8, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = {"dim": (2, 3), "keepdim": True}
        mean = x.mean(**pixels)
        d = x - mean
        way = self.way
        if way == "pow, sqrt, div":
            y = d / torch.sqrt((d**2).mean(**pixels) + 1e-5)
        elif way == "mul, rsqrt":
            y = d * torch.rsqrt((d * d).mean(**pixels) + 1e-5)
        elif way == "mul, power -1/2":
            y = d * ((d * d).mean(**pixels) + 1e-5) ** -0.5
        elif way == "mean of squares":
            y = d / torch.sqrt((x * x).mean(**pixels) - mean * mean + 1e-5)
        elif way == "mean of squares, clamped":
            y = d / torch.sqrt(torch.relu((x * x).mean(**pixels) - mean**2) + 1e-5)
        elif way == "var, unbiased":
            y = d / (x.var(**pixels) + 1e-5).sqrt()
        elif way == "var":
            y = d / (x.var(**pixels, unbiased=False) + 1e-5).sqrt()
        elif way == "multiplied out":  # as tf.nn.batch_normalization
            factor = torch.rsqrt((d * d).mean(**pixels) + 1e-5) * self.scale
            return x * factor + (self.shift - mean * factor)
        elif way == "groups":
            view = x.view(x.shape[0], 2, -1)
            d = view - view.mean(2, keepdim=True)
            y = (d / torch.sqrt(view.var(2, keepdim=True, unbiased=False) + 1e-5)).view(x.shape)
        elif way == "whole picture":
            d = x - x.mean((1, 2, 3), keepdim=True)
            y = d / torch.sqrt((d**2).mean((1, 2, 3), keepdim=True) + 1e-5)
        elif way == "einsum, n - 1":
            count = x.shape[2] * x.shape[3]
            y = d * torch.rsqrt(torch.einsum("nchw,nchw->nc", d, d) / (count - 1) + 1e-5)[:, :, None, None]
        elif way == "epsilon outside":
            y = d / (torch.sqrt((d * d).mean(**pixels)) + 1e-3)
        elif way == "each pixel":
            d = x - x.mean(1, keepdim=True)
            y = d / torch.sqrt((d * d).mean(1, keepdim=True) + 1e-5)
        else:
            raise ValueError(way)
        return y * self.scale + self.shift


class ChannelsLastBlock(nn.Module):
    """A layer norm and a dense layer of each pixel, as ConvNeXt has them."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.dense = nn.LayerNorm(8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = F.gelu(self.dense(self.norm(x.permute(0, 2, 3, 1))))
        return x + y.permute(0, 3, 1, 2)


class Generator(nn.Module):
    """Down, a norm, up by a computed size, a reflected border: -1..1 in and out."""

    def __init__(self, norm: nn.Module, up: str = "bilinear") -> None:
        super().__init__()
        torch.manual_seed(3)
        self.down, self.norm, self.last = nn.Conv2d(3, 8, 3, 2, 1), norm, nn.Conv2d(8, 3, 3)
        with torch.no_grad():
            self.last.weight *= 4  # so that the picture has contrast
        self.up = up
        self.border = nn.ReflectionPad2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.down(x)))
        if self.up == "nearest":
            y = F.interpolate(y, scale_factor=2, mode="nearest")
        else:
            y = F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=self.up == "corners")
        return torch.tanh(self.last(self.border(y)))


def torch_file(module: nn.Module, path: Path, opset: int, *, dynamo: bool, free: bool = False) -> None:
    """What torch writes of a module, with a free batch and size if asked for."""
    size = {0: "n", 2: "h", 3: "w"}
    axes = {"dynamic_axes": {"x": size, "y": size}} if free and not dynamo else {}
    if free and dynamo:
        shape = {0: torch.export.Dim.DYNAMIC, 2: 4 * torch.export.Dim("h4"), 3: 4 * torch.export.Dim("w4")}
        axes = {"dynamic_shapes": ({k: v for k, v in shape.items() if k},)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's two exporters warn about each other
        torch.onnx.export(
            module.eval(), (torch.zeros(1, 3, HEIGHT, WIDTH),), str(path), dynamo=dynamo, opset_version=opset,
            input_names=["x"], output_names=["y"], verbose=False, **axes,
        )  # fmt: skip


def convert(path: Path, least: float = 100) -> Counter[str]:
    """Prepare a file, compare the graph with the file itself, and count its operators."""
    graph = prepare(read_onnx(path), HEIGHT, WIDTH, SIGNED)
    hub.check(graph)
    saved = path.with_suffix(".graph.onnx")
    hub.save(graph, saved)
    image = picture(HEIGHT, WIDTH)
    with open_artifact(saved, "onnxruntime") as session:
        found = session.floats(image)
    teacher = onnx_teacher(path, SIGNED)(image)
    assert teacher.std() > 5, "a picture without anything in it proves nothing"
    assert compare(teacher, found).psnr > least
    return Counter(node.op_type for node in graph.graph)


def _tensor(name: str, *shape: int, scale: float = 1.0) -> onnx.TensorProto:
    values = np.random.default_rng(len(name) + sum(shape)).standard_normal(shape)
    return numpy_helper.from_array((values * scale / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32), name)


def tensorflow_file(path: Path, opset: int = 13, *, free: bool = False, output: str = "NHWC") -> None:
    """A channels-last generator with Transposes around its convolutions, as tf2onnx writes it.

    It has what TensorFlow models are made of: asymmetric padding in channels-last order, an instance norm as
    ``tf.nn.moments`` and ``tf.nn.batch_normalization`` give it, a squeeze-and-excite gate, a skip connection, a concat
    on the last axis, a resize by a computed size.
    """
    first, last = [0, 3, 1, 2], [0, 2, 3, 1]
    nodes: list[onnx.NodeProto] = []
    tensors = [
        _tensor("w0", 8, 3, 3, 3, scale=2), _tensor("w1", 8, 8, 3, 3), _tensor("w2", 3, 16, 3, 3, scale=0.5),
        _tensor("b0", 8), _tensor("gamma", 1, 1, 1, 8), _tensor("beta", 1, 1, 1, 8), _tensor("dense", 8, 8),
        _tensor("bias", 8),
        numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 1, 1, 0]), "pads"),
        numpy_helper.from_array(np.array([0, 1, 1, 0, 0, 1, 1, 0]), "border"),
        numpy_helper.from_array(np.float32(1e-3), "epsilon"),
        numpy_helper.from_array(np.array([1, 1, 1, 8]), "gate_shape"),
        *(numpy_helper.from_array(np.array([v]), f"i{v}") for v in (0, 1, 2, 3, 8)),
        numpy_helper.from_array(np.array([2, 2]), "two"),
    ]  # fmt: skip

    def add(op: str, inputs: str, output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs.split(), [output], output, **attributes))
        return output

    def convolved(source: str, weight: str, output: str, **attributes: object) -> str:
        add("Transpose", source, f"{output}_first", perm=first)
        add("Conv", f"{output}_first {weight}", f"{output}_conv", **attributes)
        return add("Transpose", f"{output}_conv", output, perm=last)

    add("Pad", "x pads", "padded")
    convolved("padded", "w0", "down", strides=[2, 2])
    add("Add", "down b0", "biased")
    add("ReduceMean", "biased", "mean", axes=[1, 2])
    add("Sub", "biased mean", "deviation")
    add("Mul", "deviation deviation", "square")
    add("ReduceMean", "square", "variance", axes=[1, 2])
    add("Add", "variance epsilon", "shifted")
    add("Sqrt", "shifted", "root")
    add("Reciprocal", "root", "rsqrt")
    add("Mul", "rsqrt gamma", "factor")
    add("Mul", "biased factor", "scaled")
    add("Mul", "mean factor", "moved")
    add("Sub", "beta moved", "rest")
    add("Add", "scaled rest", "normal")
    add("Relu", "normal", "active")
    convolved("active", "w1", "inner", pads=[1, 1, 1, 1])
    add("ReduceMean", "inner", "squeezed", axes=[1, 2], keepdims=0)
    add("MatMul", "squeezed dense", "product")
    add("Add", "product bias", "excited")
    add("Sigmoid", "excited", "gate")
    add("Reshape", "gate gate_shape", "gates")
    add("Mul", "inner gates", "gated")
    add("Add", "active gated", "sum")
    add("Concat", "sum active", "both", axis=-1)
    add("Shape", "both", "shape")
    add("Slice", "shape i1 i3", "pixels")
    add("Mul", "pixels two", "doubled")
    add("Transpose", "both", "both_first", perm=first)
    add("Shape", "both_first", "planar_shape")
    add("Slice", "planar_shape i0 i2", "lead")
    add("Concat", "lead doubled", "size", axis=0)
    nodes.append(
        helper.make_node("Resize", ["both_first", "", "", "size"], ["large_first"], "resize", mode="linear",
                         coordinate_transformation_mode="half_pixel")
    )  # fmt: skip
    add("Transpose", "large_first", "large", perm=last)
    add("Pad", "large border", "bordered", mode="reflect")
    convolved("bordered", "w2", "out")
    add("Tanh", "out", "y" if output == "NHWC" else "flat")
    if output == "NCHW":
        add("Transpose", "flat", "y", perm=first)
    size = ["unk__1", "unk__2", "unk__3"] if free else [1, HEIGHT, WIDTH]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [*size, 3])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)
    graph = helper.make_graph(nodes, "g", [image], [result], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
