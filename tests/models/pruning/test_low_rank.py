import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models import checkpoint, zoo
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
from pocketlens.models.fast_style import FastStyle
from pocketlens.models.pocket import Pocket
from pocketlens.models.pruning.low_rank import decompose, rank_share_within
from pocketlens.models.pruning.low_rank_conv import LowRankConv, decompose_conv, empty_low_rank, full_rank
from pocketlens.models.pruning.prune import describe, prune
from tests.models.pruning.generators import every_architecture, make

LAYERS = {
    "plain": nn.Conv2d(3, 8, 3, padding=1),
    "strided": nn.Conv2d(3, 8, (5, 3), stride=(2, 3), padding=(2, 0), bias=False),
    "dilated": nn.Conv2d(3, 8, 3, dilation=2, padding=2),
    "mirrored": nn.Conv2d(3, 8, 5, padding=2, padding_mode="reflect"),
    "replicated": nn.Conv2d(3, 8, 3, padding=1, padding_mode="replicate"),
    "circular": nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular"),
    "same": nn.Conv2d(3, 8, (4, 3), padding="same", dilation=2),
    "same, mirrored": nn.Conv2d(3, 8, 3, padding="same", padding_mode="reflect"),
    "valid": nn.Conv2d(3, 8, 3, padding="valid"),
    "pointwise": nn.Conv2d(8, 16, 1),
    "transposed": nn.ConvTranspose2d(3, 8, 3, 2, bias=False),
    "transposed, padded": nn.ConvTranspose2d(3, 8, (3, 4), 2, padding=1, output_padding=(1, 0)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_pair_of_full_rank_gives_what_the_convolution_gave(name: str) -> None:
    layer = LAYERS[name]
    x = torch.rand(2, layer.in_channels, 11, 14)
    with torch.no_grad():
        assert torch.allclose(decompose_conv(layer, full_rank(layer))(x), layer(x), atol=1e-5)


def test_a_pair_is_as_near_as_the_singular_values_that_are_left_out_say() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 24, 3, bias=False)
    flat = layer.weight.detach().permute(1, 2, 0, 3).reshape(48, 72)
    lost = torch.linalg.svdvals(flat)[10:].square().sum().sqrt()
    column, row = decompose_conv(layer, 10)
    with torch.no_grad():
        error = torch.einsum("rik,orj->oikj", column.weight[..., 0], row.weight[:, :, 0]) - layer.weight
    assert float(error.norm()) == pytest.approx(float(lost), rel=0.02)


@every_architecture
@pytest.mark.usefixtures("narrow_unet")
def test_every_architecture_becomes_smaller_and_loads_again(name: str, variant: zoo.Variant, tmp_path: Path) -> None:
    module = make(name, variant)
    share = rank_share_within(module, 0.5, size=(128, 128), multiple=4)
    decomposed = decompose(module, share, size=(128, 128), multiple=4)
    assert 0.3 * decomposed.before.macs < decomposed.after.macs <= 0.5 * decomposed.before.macs
    assert "became" in describe(decomposed)[-1]
    path = tmp_path / "cut.safetensors"
    save_checkpoint(decomposed.module, path, CheckpointMetadata(name, variant.arguments, pruned=True))
    loaded = checkpoint.load(path, name)
    x = torch.rand(1, 3, *(128 if name == "pix2pix-unet" else 32,) * 2)
    with torch.no_grad():
        assert torch.equal(loaded(x), decomposed.module(x))


@pytest.mark.parametrize("macs", [0.25, 0.1])
def test_a_share_of_the_multiply_adds_is_kept_to(macs: float) -> None:
    module = FastStyle()
    share = rank_share_within(module, macs)
    decomposed, larger = (decompose(module, s) for s in (share, share + 1 / 128))
    assert decomposed.after.macs <= macs * decomposed.before.macs < larger.after.macs
    assert any("128 -> 128 channels became 128 -> " in line for line in describe(decomposed))


def test_a_layer_that_is_used_twice_becomes_one_pair() -> None:
    once = nn.Conv2d(32, 32, 3, padding=1)
    module = nn.Sequential(nn.Conv2d(3, 32, 1), once, nn.ReLU(), once, nn.Conv2d(32, 3, 1)).eval()
    decomposed = decompose(module, 0.3, size=(32, 32))
    assert decomposed.module.get_submodule("1") is decomposed.module.get_submodule("3")
    assert decomposed.after.parameters < decomposed.before.parameters
    assert decomposed.after.macs < 0.5 * decomposed.before.macs


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_no_layer_comes_to_need_more(share: float) -> None:
    module = FastStyle()
    decomposed = decompose(module, share)
    assert decomposed.after.macs <= decomposed.before.macs
    strided = {layer.name: layer.rank for layer in decomposed.layers}
    assert (strided["down.1.conv"] == 0) == (share == 0.9)


def test_a_generator_stays_as_it_is_beside_its_copy() -> None:
    module = Pocket(channels=16)
    before = copy.deepcopy(module.state_dict())
    decompose(module, 0.5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_pairs_are_not_cut_again_but_lose_channels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    decomposed = decompose(FastStyle().eval(), 0.5)
    assert decompose(decomposed.module, 0.5).after == decomposed.after
    with pytest.raises(InputError, match="no convolution that could become a low-rank pair"):
        rank_share_within(decomposed.module, 0.5)
    narrow = prune(decomposed.module, 0.5, [torch.rand(1, 3, 32, 32)], size=(64, 64))
    assert isinstance(narrow.module.get_submodule("last.conv"), LowRankConv)
    save_checkpoint(narrow.module, tmp_path / "x.safetensors", CheckpointMetadata("fast-style", {}, pruned=True))
    loaded = checkpoint.load(tmp_path / "x.safetensors", "fast-style")
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(x), narrow.module(x))


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_a_share_that_is_not_between_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        decompose(Pocket(), share)


@pytest.mark.parametrize(("name", "rank"), [("last.conv", 4000), ("last.conv", 0), ("blocks.0.first.conv", 385)])
def test_a_file_with_ranks_that_no_layer_has_is_refused(name: str, rank: int, tmp_path: Path) -> None:
    module = FastStyle()
    layer = module.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    module.set_submodule(name, empty_low_rank(layer, rank))
    save_checkpoint(module, tmp_path / "x.safetensors", CheckpointMetadata("fast-style", {}, pruned=True))
    with pytest.raises(InputError, match=rf"{name} cannot be two convolutions through {rank}"):
        checkpoint.load(tmp_path / "x.safetensors", "fast-style")
