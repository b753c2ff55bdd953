"""Checkpoints of a known architecture in another width and depth than its authors trained: read from the tensors."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import pocketlens
from pocketlens.converters import graph as hub
from pocketlens.converters.verify import GRAPH_FLOORS, verify_artifact
from pocketlens.errors import InputError
from pocketlens.models import checkpoint, zoo
from pocketlens.models.checkpoint_metadata import save_checkpoint
from pocketlens.models.distill.initial_student import pruned_metadata
from pocketlens.models.export import export
from pocketlens.models.fast_style import FastStyle
from pocketlens.models.pocket import Pocket
from pocketlens.models.resize_layers import resize_layers
from pocketlens.models.source import resolve
from pocketlens.models.teacher import torch_teacher
from tests.generators import picture
from tests.golden import State, state_by_rule
from tests.models.authors import AnimeGan, TransformerNet, cyclegan, unet

AUTHORS: dict[str, tuple[str, Callable[[], nn.Module], int]] = {
    "cyclegan, 7 blocks": ("cyclegan-resnet", lambda: cyclegan(6, 7), 32),
    "cyclegan, 1 block": ("cyclegan-resnet", lambda: cyclegan(5, 1), 32),
    "unet, 5 levels": ("pix2pix-unet", lambda: unet(4, 5), 32),
    "unet, 6 levels": ("pix2pix-unet", lambda: unet(3, 6), 64),
    "transformer-net": ("transformer-net", lambda: TransformerNet(7, 10, 14, 2), 32),
    "transformer-net, wider": ("transformer-net", lambda: TransformerNet(40, 6, 8, 1), 32),
    "animegan2": ("animegan2", lambda: AnimeGan(6, 10, 14, 20, 2), 33),
    "animegan2, as wide within": ("animegan2", lambda: AnimeGan(6, 8, 12, 12, 2), 32),
    "pocket": ("pocket", lambda: Pocket(channels=12, blocks=3, fine=2, half_res_channels=10), 32),
    "pocket, repainting": ("pocket", lambda: Pocket(channels=8, blocks=1, instance_norm=1, repaint=1), 32),
}
CONVERTED = ("cyclegan, 1 block", "unet, 6 levels", "transformer-net", "animegan2", "pocket")
"""One of each architecture becomes a graph as well."""
SUFFIXES = (".safetensors", ".pt", ".npz")


@cache
def authors(case: str) -> nn.Module:
    """The authors' module with weights by rule, which give a picture of some contrast."""
    name, make, _ = AUTHORS[case]
    module = make().eval()
    state = state_by_rule(module)
    if name == "transformer-net":
        state["deconv3.conv2d.weight"] *= 30
        state["deconv3.conv2d.bias"] += 120
    module.load_state_dict(state)
    return module


def save(state: State, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    elif path.suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in state.items()})
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("case", AUTHORS)
def test_the_picture_is_the_authors(tmp_path: Path, case: str) -> None:
    name, _, edge = AUTHORS[case]
    suffix = SUFFIXES[list(AUTHORS).index(case) % len(SUFFIXES)]
    path = save(authors(case).state_dict(), tmp_path / f"x{suffix}")
    image, ranges = picture(edge, edge), zoo.architecture(name).ranges
    expected = torch_teacher(authors(case), ranges)(image)
    assert expected.std() > 5, "a picture without contrast proves nothing"
    module = resolve(path.name, base=tmp_path, architecture=name).load()
    assert np.abs(torch_teacher(module, ranges)(image) - expected).max() < 1e-3
    if case in CONVERTED:
        hub.save(export(module, edge, edge, ranges), tmp_path / "graph.onnx")
        verify_artifact(tmp_path / "graph.onnx", GRAPH_FLOORS, [image], [expected])


def test_fast_style_as_tensorflow_saves_it(tmp_path: Path) -> None:
    """Two blocks of 9 channels: 30 arrays, kernels HWIO, the shift before the scale."""
    with torch.device("meta"):
        module = FastStyle(blocks=2)
    widths = {"down.0": (3, 5), "down.1": (5, 7), "down.2": (7, 9), "up.0": (9, 7), "up.1": (7, 5), "last": (5, 3)}
    arrays: dict[str, np.ndarray] = {}
    state: State = {}
    rng = np.random.default_rng(1)
    for name, layer in module.named_modules():
        if not hasattr(layer, "conv"):
            continue
        inputs, outputs = widths.get(name, (9, 9))
        kernel = layer.conv.kernel_size[0]
        weight = rng.normal(0, 1 / (kernel * inputs**0.5), (outputs, inputs, kernel, kernel)).astype(np.float32)
        weight = weight.transpose(1, 0, 2, 3) if name.startswith("up") else weight
        scale, shift = rng.uniform(0.3, 0.6, outputs).astype(np.float32), rng.normal(0, 0.1, outputs).astype(np.float32)
        for array in (weight.transpose(2, 3, 1, 0), shift, scale):
            arrays[f"Variable_{len(arrays)}" if arrays else "Variable"] = array
        parts = {"conv.weight": weight, "norm.bias": shift, "norm.weight": scale}
        state |= {f"{name}.{part}": torch.from_numpy(array.copy()) for part, array in parts.items()}
    assert len(arrays) == 30
    np.savez(tmp_path / "x.npz", **arrays)
    resize_layers(module, {name: tuple(tensor.shape) for name, tensor in state.items()})
    module = module.to_empty(device="cpu").eval()
    module.load_state_dict(state)

    loaded = checkpoint.load(tmp_path / "x.npz", "fast-style")

    x = torch.rand(1, 3, 16, 20) * 255
    with torch.no_grad():
        assert torch.equal(loaded(x), module(x))


def spoil(state: State, name: str, shape: tuple[int, ...]) -> State:
    assert state[name].shape != shape
    return {**state, name: torch.zeros(shape)}


@pytest.mark.parametrize(
    ("case", "tensor", "shape", "message"),
    [
        ("cyclegan, 1 block", "model.4.weight", (11, 5, 3, 3), "model.4 gives 11 channels and has 10 biases"),
        ("cyclegan, 1 block", "model.7.weight", (20, 9, 3, 3), r"model.7 takes 9 channels and gets 10\n"),
        ("cyclegan, 1 block", "model.1.weight", (5, 1, 7, 7), r"model.1 takes 1 channel and gets 3\n"),
        ("cyclegan, 1 block", "model.1.weight", (5, 3, 5, 5), r"model.1.weight is \[5, 3, 5, 5\], expected one like"),
        ("transformer-net", "in1.weight", (6,), r"in1 takes 6 channels and gets 7\n"),
        ("animegan2", "out_layer.0.weight", (4, 6, 1, 1), "it gives 4 channels, expected a picture of 3"),
    ],
)
def test_shapes_that_contradict_each_other_are_named(
    tmp_path: Path, case: str, tensor: str, shape: tuple[int, ...], message: str
) -> None:
    name = AUTHORS[case][0]
    path = save(spoil(authors(case).state_dict(), tensor, shape), tmp_path / "x.pt")
    with pytest.raises(InputError, match=rf"but nearly: the names .* contradict each other; {message}"):
        checkpoint.load(path, name)


def test_a_net_of_fewer_levels_takes_smaller_pictures(tmp_path: Path) -> None:
    """The architecture's usual variants need multiples of 128; this one needs multiples of 32."""
    save(authors("unet, 5 levels").state_dict(), tmp_path / "x.pt")
    asked = str(tmp_path / "x.pt"), ["onnx"], ["fp32"], tmp_path / "out"
    [artifact] = pocketlens.convert(*asked, architecture="pix2pix-unet", size=(32, 64))
    assert artifact.verification.worst.psnr > 80
    with pytest.raises(InputError, match="cannot compute at 40 x 64: it needs multiples of 32"):
        pocketlens.convert(*asked, architecture="pix2pix-unet", size=(40, 64))


def test_a_copy_of_it_loads_again(tmp_path: Path) -> None:
    """What its checkpoint will say lets a pruned copy load, though the default is narrower in places."""
    path = save(authors("transformer-net, wider").state_dict(), tmp_path / "x.pt")
    metadata = pruned_metadata(resolve("x.pt", base=tmp_path, architecture="transformer-net"))
    assert (metadata.arguments, metadata.pruned) == ({"blocks": 1}, True)
    copy = tmp_path / "copy.safetensors"
    save_checkpoint(authors("transformer-net, wider"), copy, metadata)
    x = torch.rand(1, 3, 16, 16) * 255
    with torch.no_grad():
        assert torch.equal(checkpoint.load(copy, "transformer-net")(x), checkpoint.load(path, "transformer-net")(x))


@pytest.mark.parametrize("case", ["cyclegan, 7 blocks", "animegan2"])
def test_without_a_name_the_architecture_that_fits_is_said(tmp_path: Path, case: str) -> None:
    save(authors(case).state_dict(), tmp_path / "x.pt")
    with pytest.raises(InputError, match="no architecture is given") as error:
        resolve("x.pt", base=tmp_path)
    name = AUTHORS[case][0]
    assert error.value.do.startswith(f"it fits {name} (blocks = ")
    assert error.value.do.endswith(f", widths of its own): set architecture = {name!r}")


@pytest.mark.parametrize("architecture", ["", "animegan2"])
def test_a_foreign_generator_is_described(tmp_path: Path, architecture: str) -> None:
    """What was seen in the file, and a module that could be written as it stands."""
    state = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3), nn.PReLU(4)), nn.Conv2d(4, 3, 5))
    save({f"net.{name}": tensor for name, tensor in state.state_dict().items()}, tmp_path / "x.pt")
    with pytest.raises(InputError) as error:
        resolve("x.pt", base=tmp_path, architecture=architecture).load()
    assert "it holds 7 tensors: 2 under net.0, 3 under net.1, 2 under net.2" in error.value.what.replace(
        "3 under net.1, 2 under net.0", "2 under net.0, 3 under net.1"
    )
    assert "the first is net.0.weight [4, 3, 3, 3], the last net.2.bias [3]" in error.value.what
    assert "give net.py:make as the source" in error.value.do
    assert "net.load_state_dict(torch.load('x.pt', weights_only=True))" in error.value.do
