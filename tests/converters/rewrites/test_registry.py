"""Rewrites by name, one after the other."""

import onnx_ir as ir
import pytest

from pocketlens.converters.rewrites.registry import REWRITES, apply
from pocketlens.errors import InputError
from pocketlens.targets import TARGETS
from tests.converters.graph_builder import GraphBuilder
from tests.converters.rewrites.harness import assert_close, play


def test_a_tail_of_two_packed_layers() -> None:
    """A transposed convolution, a norm, a large thin convolution: one shuffle is left, at the end."""
    builder = GraphBuilder((1, 8, 6, 8))
    builder.add("ConvTranspose", "x", builder.random(8, 4, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1])
    builder.add("InstanceNormalization", builder.last, builder.random(4), builder.random(4))
    builder.add("Relu", builder.last)
    builder.add("Conv", builder.last, builder.random(3, 4, 9, 9), builder.random(3), pads=[4, 4, 4, 4])
    builder.add("Tanh", builder.last)
    model = builder.model()
    before = play(model)
    assert apply(model, reversed(REWRITES)) == ("pack-thin-conv", "keep-packed")
    assert_close(play(model), before)
    ops = [node.op_type for node in model.graph]
    assert ops == ["Conv", "Reshape", "InstanceNormalization", "Reshape", "Relu", "Conv", "DepthToSpace", "Tanh"]
    assert apply(model, REWRITES) == ()


def test_rewrites_are_named() -> None:
    with pytest.raises(InputError, match="no rewrite 'faster'"):
        apply(ir.Model(ir.Graph([], [], nodes=[]), ir_version=10), ["faster"])
    for target in TARGETS.values():
        assert set(target.rewrites) <= set(REWRITES)
