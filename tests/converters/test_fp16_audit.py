"""The audit finds how large every value becomes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.fp16_audit import audit
from pocketlens.memory import large_blocks_returned
from tests.converters.graph_builder import GraphBuilder
from tests.generators import picture, small_graph

SIZE = (32, 48)


PICTURES = [picture(*SIZE, seed) for seed in range(3)]


def test_the_audit_is_right_about_one_convolution() -> None:
    model = small_graph(*SIZE)
    node = next(node for node in model.graph if node.op_type == "Conv")
    weight, bias = (torch.tensor(constant(value)) for value in node.inputs[1:3])
    source = node.inputs[0].producer()
    assert source.op_type == "Add", "the middle of the range is taken away first"
    x = torch.tensor(np.stack(PICTURES).transpose(0, 3, 1, 2).astype(np.float32)) + constant(source.inputs[1]).item()
    stride: dict[str, Any] = {"stride": hub.ints(node, "strides", (1, 1)), "padding": 1}
    y, bound = F.conv2d(x, weight, bias, **stride), F.conv2d(x.abs(), weight.abs(), bias.abs(), **stride)
    found = {(e.node, e.kind): e.largest for e in audit(model, PICTURES)}
    assert found[node.name, "value"] == pytest.approx(y.abs().max().item(), rel=1e-4)
    assert found[node.name, "accumulation"] == pytest.approx(bound.max().item(), rel=1e-4)
    norm = next(node for node in model.graph if node.op_type == "InstanceNormalization")
    deviation = y - y.mean((2, 3), keepdim=True)
    assert found[norm.name, "square"] == pytest.approx(deviation.square().max().item(), rel=1e-3)
    assert found[norm.name, "squares"] == pytest.approx(deviation.square().sum((2, 3)).max().item(), rel=1e-3)
    assert found[norm.name, "sum"] == pytest.approx(y.abs().sum((2, 3)).max().item(), rel=1e-3)


def test_pictures_are_streamed() -> None:
    one = {(e.node, e.kind): e.largest for e in audit(small_graph(*SIZE), PICTURES[:1])}
    every = {(e.node, e.kind): e.largest for e in audit(small_graph(*SIZE), (p for p in PICTURES))}
    assert all(every[key] >= one[key] for key in one) and every != one


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux says how much memory a process had")
def test_no_value_stays_behind_that_was_looked_at() -> None:
    g, value_mb = GraphBuilder((1, 3, 512, 512)), 16 * 512 * 512 * 4 / 1e6
    value = g.add("Conv", "x", g.random(16, 3, 1, 1))
    for _ in range(12):
        value = g.add("Relu", g.add("Conv", value, g.random(16, 1, 1, 1), group=16))
    model = g.model()
    model.graph.inputs[0].name = hub.INPUT
    image = [picture(512, 512)]
    with large_blocks_returned():
        audit(model, image)  # what is loaded for the first time counts as nobody's
        Path("/proc/self/clear_refs").write_text("5")
        before = _kilobytes("VmRSS")
        audit(model, image)
    assert (_kilobytes("VmHWM") - before) / 1e3 < 5 * value_mb


def _kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(name))
