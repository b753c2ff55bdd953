import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models import checkpoint, zoo
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
from pocketlens.models.pocket import Pocket
from pocketlens.models.pruning.importance import sensitivities
from pocketlens.models.pruning.prune import describe, prune, share_within
from pocketlens.models.pruning.reconstruct import reconstruct
from tests.models.pruning.generators import every_architecture, make


@every_architecture
@pytest.mark.usefixtures("narrow_unet")
def test_every_architecture_becomes_smaller_and_loads_again(name: str, variant: zoo.Variant, tmp_path: Path) -> None:
    module = make(name, variant)
    side = 128 if name == "pix2pix-unet" else 32
    x = torch.rand(1, 3, side, side)
    if name == "painter":  # its table has a number for each channel
        with pytest.raises(InputError, match=r"cannot be pruned.*split"):
            prune(module, 0.5, [x], size=(128, 128))
        return
    pruned = prune(module, 0.5, [x], size=(128, 128))
    assert 0.2 < pruned.after.macs / pruned.before.macs < 0.36
    assert all(
        change.out_channels[1] % 8 == 0 or change.out_channels[0] == change.out_channels[1] for change in pruned.layers
    )
    assert "became" in describe(pruned)[-1]
    path = tmp_path / "pruned.safetensors"
    explained = reconstruct(module, pruned.module, pruned.kept, [x])
    assert explained and min(explained.values()) > 0
    save_checkpoint(pruned.module, path, CheckpointMetadata(name, variant.arguments, pruned=True))
    loaded = checkpoint.load(path, name)
    with torch.no_grad():
        assert torch.equal(loaded(x), pruned.module.eval()(x))


def test_the_important_channel_stays() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1)).eval()
    with torch.no_grad():
        module[2].weight[:, 8:] *= 0.01  # what the second half gives is hardly seen in the picture
    pruned = prune(module, 0.5, [torch.rand(1, 3, 32, 32)], size=(32, 32))
    assert torch.equal(pruned.module.get_submodule("0").weight, module[0].weight[:8])


def test_a_pixel_shuffle_loses_channels_in_fours() -> None:
    torch.manual_seed(0)
    module = Pocket(instance_norm=1).eval()
    pruned = prune(module, 0.5, [torch.rand(1, 3, 32, 32)], size=(64, 64))
    up = pruned.module.get_submodule("up")
    assert not (up.conv.weight == 0).all()
    assert up.conv.weight.shape == (64, 16, 1, 1)
    rows = [row[:, 0, 0] for row in up.conv.weight]
    old_rows = [
        next(i for i, old in enumerate(module.up.conv.weight[:, :, 0, 0]) if torch.isin(row, old).all()) for row in rows
    ]
    assert old_rows == [4 * (i // 4) + k for i, k in zip(old_rows, [0, 1, 2, 3] * 16, strict=True)]


def test_sensitivity_is_the_jacobian() -> None:
    module = nn.Conv2d(3, 3, 1, bias=False)
    sensitivities(module, [torch.ones(1, 3, 8, 8)])
    # Each output pixel depends on each weight of its channel by 1: the sum of 64 random signs has a square of 64 in
    # mean.
    assert module.weight.grad is not None
    assert 2 < float(module.weight.grad.mean()) < 20


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0])
def test_a_share_that_is_not_between_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        prune(Pocket(), share, [torch.rand(1, 3, 32, 32)])


def test_hostile_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    for arguments in ({"channels": 10**9}, {"channels": -1}, {"evil": 3}, {"channels": 16}):
        save_checkpoint(Pocket(), path, CheckpointMetadata("pocket", arguments))
        with pytest.raises(InputError):
            checkpoint.load(path, "pocket")
    save_checkpoint(Pocket(), path, CheckpointMetadata("pocket", {}))
    with pytest.raises(InputError, match="set architecture = 'pocket'"):
        checkpoint.load(path, "fast-style")


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_layer_takes_over_from_channels_that_went(norm: str, transposed: bool) -> None:
    """Half of the channels repeat the others: after pruning, least squares finds weights that lose nothing."""
    torch.manual_seed(0)
    following = {
        "instance": lambda: nn.InstanceNorm2d(5, affine=True),
        "batch": lambda: nn.BatchNorm2d(5),
        "none": nn.Identity,
    }[norm]()
    second = nn.ConvTranspose2d(16, 5, 3, 2, 1, 1) if transposed else nn.Conv2d(16, 5, 3, 2, 1)
    if norm != "none":
        second.bias = None
    module = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), second, following)
    with torch.no_grad():
        module[0].weight[8:] = module[0].weight[:8] * 2
        module[0].bias[8:] = module[0].bias[:8] * 2
        if norm == "batch":
            following.running_mean += torch.randn(5)
    smaller = copy.deepcopy(module)
    smaller[0].weight, smaller[0].bias = nn.Parameter(module[0].weight[:8]), nn.Parameter(module[0].bias[:8])
    axis = 0 if transposed else 1
    smaller[2].weight = nn.Parameter(module[2].weight.narrow(axis, 0, 8).clone())
    smaller[0].out_channels = smaller[2].in_channels = 8
    pictures = [torch.rand(1, 3, 24, 24) for _ in range(8)]
    unseen = torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        expected, before = module.eval()(unseen), smaller.eval()(unseen)
        explained = reconstruct(module, smaller, {"0": range(8), "2": range(5)}, pictures)
        after = smaller(unseen)
    assert explained["2"] > 0.999
    assert (after - expected).abs().mean() < 0.05 * (before - expected).abs().mean()


@pytest.mark.parametrize("macs", [0.25, 0.1])
def test_a_share_of_the_multiply_adds_is_kept_to(macs: float) -> None:
    module = make("fast-style", zoo.architecture("fast-style").variants[-1])
    picture = torch.rand(1, 3, 32, 32)
    share = share_within(module, macs, picture)
    pruned, wider = (prune(module, s, [picture]) for s in (share, share + 1 / 128))
    assert pruned.after.macs <= macs * pruned.before.macs < wider.after.macs


def test_fewer_multiply_adds_than_any_copy_needs_are_refused() -> None:
    with pytest.raises(InputError, match="no copy needs only"):
        share_within(Pocket(channels=8), 0.001, torch.rand(1, 3, 32, 32), size=(32, 32))


def test_channels_stay_to_the_nearest_multiple() -> None:
    module = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 3, 3, padding=1)).eval()
    widths = [prune(module, s, [torch.rand(1, 3, 16, 16)]).layers[0].out_channels[1] for s in (0.05, 0.36, 0.39, 0.95)]
    assert widths == [8, 8, 16, 32]
