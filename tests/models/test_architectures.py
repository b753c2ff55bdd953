"""Each architecture beside its authors' code: names, shapes, outputs; then as graph and as artifact of every target."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, emitter, refuse
from pocketlens.converters.verify import GRAPH_FLOORS, verify_artifact
from pocketlens.errors import InputError
from pocketlens.images import Floats, Picture
from pocketlens.models import zoo
from pocketlens.models.costs import count_costs
from pocketlens.models.export import export
from pocketlens.models.pix2pix_unet import Pix2PixUnet
from pocketlens.models.teacher import torch_teacher
from pocketlens.precisions import PRECISIONS
from pocketlens.targets import TARGETS
from tests.generators import picture
from tests.golden import state_by_rule

GOLDEN = {
    "transformer_net": ("transformer-net", 0),
    "cyclegan_resnet9": ("cyclegan-resnet", 0),
    "animegan2": ("animegan2", 0),
}
SMALL = [("fast-style", 0, 64), ("transformer-net", 0, 64), ("cyclegan-resnet", 1, 64), ("animegan2", 0, 64)]
UNET = ("pix2pix-unet", 1, 128)
OTHERS = ("openvino", "tflite", "coreml")


@cache
def generator(name: str, index: int) -> nn.Module:
    """A variant of an architecture with weights by rule."""
    architecture = zoo.architecture(name)
    module = architecture.skeleton(architecture.variants[index]).to_empty(device="cpu")
    state = state_by_rule(module)
    if name == "transformer-net":  # the rule alone gives pictures of three shades of black
        state["deconv3.conv2d.weight"] *= 30
        state["deconv3.conv2d.bias"] += 120
    module.load_state_dict(state)
    return module


@cache
def exported(name: str, index: int, height: int, width: int) -> tuple[ir.Model, Picture, Floats]:
    """The graph, a picture, and what the generator makes of it."""
    module, ranges = generator(name, index), zoo.architecture(name).ranges
    image = picture(height, width)
    reference = torch_teacher(module, ranges)(image)
    assert reference.std() > 10, "a picture without contrast proves nothing"
    return export(module, height, width, ranges), image, reference


@pytest.mark.parametrize("golden", GOLDEN)
def test_names_shapes_and_types_are_the_authors(shared: Path, golden: str) -> None:
    name, index = GOLDEN[golden]
    architecture = zoo.architecture(name)
    own = architecture.skeleton(architecture.variants[index]).state_dict()
    document = json.loads((shared / f"golden/{golden}.json").read_text())
    assert {n: [list(t.shape), str(t.dtype).removeprefix("torch.")] for n, t in own.items()} == document["parameters"]
    assert tuple(document["input_range"]) == architecture.ranges.input


@pytest.mark.parametrize("golden", GOLDEN)
def test_outputs_are_the_authors(shared: Path, golden: str) -> None:
    name, index = GOLDEN[golden]
    architecture = zoo.architecture(name)
    module = architecture.skeleton(architecture.variants[index]).to_empty(device="cpu")
    module.load_state_dict(state_by_rule(module))
    with np.load(shared / f"golden/{golden}.npz") as arrays, torch.no_grad():
        output = module(torch.from_numpy(arrays["input"])).numpy()
        assert np.abs(output - arrays["output"]).max() < 1e-5 * (architecture.ranges.output[1])


@pytest.mark.parametrize(("halvings", "parameters"), [(8, 54_413_955), (7, 41_828_995)])
def test_the_names_of_the_unet_are_the_authors(halvings: int, parameters: int) -> None:
    """No golden file: the names follow from how the levels are nested, and the number of parameters is published."""
    expected = {"model.model.0.weight", "model.model.3.weight", "model.model.3.bias"}

    def norm(at: str) -> set[str]:
        return {f"{at}.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}

    inside = "model.model.1"
    for _ in range(halvings - 2):
        expected |= {f"{inside}.model.1.weight", f"{inside}.model.5.weight"}
        expected |= norm(f"{inside}.model.2") | norm(f"{inside}.model.6")
        inside += ".model.3"
    expected |= {f"{inside}.model.1.weight", f"{inside}.model.3.weight"} | norm(f"{inside}.model.4")
    with torch.device("meta"):
        module = Pix2PixUnet(halvings)
    state = module.state_dict()
    assert set(state) == expected
    assert sum(weight.numel() for weight in module.parameters()) == parameters
    assert state["model.model.1.model.5.weight"].shape == (256, 64, 4, 4)
    assert state[f"{inside}.model.3.weight"].shape == (512, 512, 4, 4)


@pytest.mark.parametrize(("name", "index", "edge"), [*SMALL, ("pocket", 0, 32), UNET])
def test_the_graph_computes_what_torch_computes(tmp_path: Path, name: str, index: int, edge: int) -> None:
    model, image, reference = exported(name, index, edge, edge)
    hub.save(model, tmp_path / "graph.onnx")
    verify_artifact(tmp_path / "graph.onnx", GRAPH_FLOORS, [image], [reference])
    architecture = zoo.architecture(name)
    counted = count_costs(architecture.skeleton(architecture.variants[index]), edge, edge)
    assert counted.macs == hub.macs(model)


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize(("name", "index", "edge"), SMALL[1:])
def test_every_target_plays_it(tmp_path: Path, name: str, index: int, edge: int, target: str) -> None:
    model, image, reference = exported(name, index, edge, edge)
    refuse(model, [target])
    path = tmp_path / f"artifact{TARGETS[target].suffix}"
    emitter(target).emit(model, "fp32", Labels(name), path)
    verify_artifact(path, PRECISIONS["fp32"].floors, [image], [reference])


@pytest.mark.parametrize("target", OTHERS)
def test_no_target_refuses_the_unet(target: str) -> None:
    model, _, _ = exported(*UNET, UNET[2])
    assert emitter(target).refusals(model) == []


@pytest.mark.parametrize(("name", "index"), [("transformer-net", 0), ("cyclegan-resnet", 1)])
def test_generators_that_enlarge_odd_pictures_are_refused_at_their_size(name: str, index: int) -> None:
    """The authors' code gives 252 x 336 for 250 x 333; a filter has to give the size that it got."""
    module = generator(name, index)
    with torch.no_grad():
        assert module(torch.zeros(1, 3, 50, 61)).shape == (1, 3, 52, 64)
        assert module(torch.zeros(1, 3, 52, 64)).shape == (1, 3, 52, 64)
    with pytest.raises(InputError, match=r"\[1, 3, 50, 61\] and leaves as \[1, 3, 52, 64\]"):
        export(module, 50, 61, zoo.architecture(name).ranges)


@pytest.mark.parametrize(("index", "multiple"), [(0, 256), (1, 128)])
def test_the_unet_says_which_sizes_it_takes(index: int, multiple: int) -> None:
    module = generator("pix2pix-unet", index)
    with pytest.raises(InputError, match=f"250 x 333: it needs multiples of {multiple}") as error:
        export(module, 250, 333, zoo.architecture("pix2pix-unet").ranges)
    assert f"{multiple} x {multiple}" in error.value.do
