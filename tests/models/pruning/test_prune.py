from pathlib import Path

import pytest
import torch
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models import checkpoint, made, zoo
from pocketlens.models.pocket import Pocket
from pocketlens.models.pruning.importance import sensitivities
from pocketlens.models.pruning.prune import explanation, prune

CASES = [(a.name, a.variants[-1]) for a in zoo.ARCHITECTURES.values()]


def make(name: str, variant: zoo.Variant) -> nn.Module:
    torch.manual_seed(0)
    return zoo.architecture(name).generator_class()(**variant.arguments).eval()


@pytest.mark.parametrize(("name", "variant"), CASES, ids=[name for name, _ in CASES])
def test_every_architecture_becomes_smaller_and_loads_again(name: str, variant: zoo.Variant, tmp_path: Path) -> None:
    module = make(name, variant)
    side = 128 if name == "pix2pix-unet" else 32
    x = torch.rand(1, 3, side, side)
    pruned = prune(module, 0.5, [x], size=(128, 128))
    assert 0.2 < pruned.after.macs / pruned.before.macs < 0.36
    assert all(layer.given[1] % 8 == 0 or layer.given[0] == layer.given[1] for layer in pruned.layers)
    assert "became" in explanation(pruned)[-1]
    path = tmp_path / "pruned.safetensors"
    made.save(pruned.module, path, made.Made(name, variant.arguments, pruned=True))
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
    module = Pocket(whole=1).eval()
    pruned = prune(module, 0.5, [torch.rand(1, 3, 32, 32)], size=(64, 64))
    up = pruned.module.get_submodule("up")
    kept = [bool((up.conv.weight == 0).all()) for _ in (0,)]
    assert not kept[0]
    assert up.conv.weight.shape == (64, 16, 1, 1)
    rows = [row[:, 0, 0] for row in up.conv.weight]
    found = [
        next(i for i, old in enumerate(module.up.conv.weight[:, :, 0, 0]) if torch.isin(row, old).all()) for row in rows
    ]
    assert found == [4 * (i // 4) + k for i, k in zip(found, [0, 1, 2, 3] * 16, strict=True)]


def test_sensitivity_is_the_jacobian() -> None:
    module = nn.Conv2d(3, 3, 1, bias=False)
    sensitivities(module, [torch.ones(1, 3, 8, 8)])
    # Each output pixel depends on each weight of its channel by 1: the sum of 64 random signs has a square of 64 in mean.
    assert module.weight.grad is not None
    assert 2 < float(module.weight.grad.mean()) < 20


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="share"):
        prune(Pocket(), share, [torch.rand(1, 3, 32, 32)])


def test_hostile_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    for arguments in ({"channels": 10**9}, {"channels": -1}, {"evil": 3}, {"channels": 16}):
        made.save(Pocket(), path, made.Made("pocket", arguments))
        with pytest.raises(InputError):
            checkpoint.load(path, "pocket")
    made.save(Pocket(), path, made.Made("pocket", {}))
    with pytest.raises(InputError, match="set architecture = 'pocket'"):
        checkpoint.load(path, "fast-style")
