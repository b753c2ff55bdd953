"""Checkpoints as trainings leave them, and what is said of those that fit nearly, or something else."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pocketlens.errors import InputError
from pocketlens.models import checkpoint, weights, zoo
from tests.golden import State, state_by_rule


@cache
def _state(name: str, index: int) -> State:
    architecture = zoo.architecture(name)
    return state_by_rule(architecture.skeleton(architecture.variants[index]))


def state(name: str, index: int = 0) -> State:
    return dict(_state(name, index))


def load(held: object, folder: Path, name: str) -> nn.Module:
    torch.save(held, folder / "x.pth")
    return checkpoint.load(folder / "x.pth", name)


def assert_holds(module: nn.Module, expected: State) -> None:
    state = module.state_dict()
    assert not module.training
    assert set(state) == set(expected)
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())


def zeros(state: State) -> State:
    return {name: torch.zeros_like(tensor) for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("name", "index"), [(a.name, i) for a in zoo.ARCHITECTURES.values() for i in range(len(a.variants))]
)
def test_every_variant_is_told_from_its_checkpoint(tmp_path: Path, name: str, index: int) -> None:
    assert_holds(load(state(name, index), tmp_path, name), state(name, index))


WRAPPED: dict[str, Callable[[State], object]] = {
    "in a state dict": lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}},
    "DataParallel": lambda s: {f"module.{n}": t for n, t in s.items()},
    "both": lambda s: {"state_dict": {f"module.{n}": t for n, t in s.items()}},
    "BasicSR": lambda s: {"params": zeros(s), "params_ema": s},
    "StyleGAN2": lambda s: {"g": zeros(s), "d": {"a": torch.zeros(3)}, "g_ema": s, "g_optim": {"state": {}}},
    "ema": lambda s: {"ema": s, "model": zeros(s)},
    "ema within": lambda s: {"ema": {"decay": 0.999, "shadow": s}, "state_dict": zeros(s)},
    "only the rate of an average": lambda s: {"ema": {"decay": 0.999}, "state_dict": s},
    "model_ema": lambda s: {"model": zeros(s), "model_ema": {f"module.{n}": t for n, t in s.items()}, "args": None},
    "AveragedModel": lambda s: {"n_averaged": torch.tensor(7)} | {f"module.{n}": t for n, t in s.items()},
    "average by its prefix": lambda s: {f"{p}.{n}": v for n, t in s.items() for p, v in
                                       (("online_model", t * 0), ("ema_model", t))} | {"step": torch.tensor(3)},
}  # fmt: skip


@pytest.mark.parametrize("how", WRAPPED)
@pytest.mark.parametrize("name", ["animegan2"])
def test_wrapped_checkpoints_and_averages_load(tmp_path: Path, name: str, how: str) -> None:
    expected = state(name)
    assert_holds(load(WRAPPED[how](expected), tmp_path, name), expected)


@pytest.mark.parametrize("how", ["bare", "module.", "params_ema."])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_flat_files_load_with_prefixes(tmp_path: Path, suffix: str, how: str) -> None:
    expected, prefix = state("animegan2"), how.replace("bare", "")
    held = {prefix + name: tensor for name, tensor in expected.items()}
    path = tmp_path / f"x{suffix}"
    if suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in held.items()})
    else:
        save_file(held, path)
    assert_holds(checkpoint.load(path, "animegan2"), expected)


@pytest.mark.parametrize("counters", [True, False])
@pytest.mark.parametrize("name", ["transformer-net", "cyclegan-resnet"])
def test_the_unused_statistics_of_old_instance_norms_are_passed_over(tmp_path: Path, name: str, counters: bool) -> None:
    expected = state(name)
    architecture = zoo.architecture(name)
    module = architecture.skeleton(architecture.variants[0])
    old = dict(expected)
    for at, norm in module.named_modules():
        if isinstance(norm, nn.InstanceNorm2d):
            old |= {f"{at}.running_mean": torch.randn(norm.num_features), f"{at}.running_var": torch.rand(1)}
            old |= {f"{at}.num_batches_tracked": torch.tensor(5)} if counters else {}
    assert len(old) > len(expected) + 10
    assert_holds(load(old, tmp_path, name), expected)


def test_batch_counters_may_be_missing_from_a_unet(tmp_path: Path) -> None:
    expected = state("pix2pix-unet", 1)
    held = {n: t for n, t in expected.items() if not n.endswith("num_batches_tracked")}
    assert len(held) < len(expected)
    assert_holds(load(held, tmp_path, "pix2pix-unet"), expected)


def without_one(s: State) -> State:
    return {n: t for n, t in s.items() if n != "model.26.bias"}


def with_one_more(s: State) -> State:
    return s | {"model.30.weight": torch.zeros(2)}


def half_as_wide(s: State) -> State:
    return {n: t[: len(t) // 2, : max(1, t.shape[1] // 2)] if t.ndim > 1 else t[: len(t) // 2] for n, t in s.items()}


def seven_blocks(s: State) -> State:
    return {n: t for n, t in s.items() if not n.startswith(("model.17.", "model.18."))}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_one, r"9 blocks\) checkpoint, but nearly: 47 of its 48 tensors fit; 1 missing \(model\.26\.bias\)$"),
        (with_one_more, r"9 blocks\) .* nearly: 48 of its 48 tensors fit; 1 too many \(model\.30\.weight\)$"),
        (
            half_as_wide,
            r"nearly: the names .* contradict each other; model\.1 takes 1 channel and gets 3$",
        ),
        (seven_blocks, r"9 blocks\) .* nearly: 40 of its 48 tensors fit; 8 missing"),
    ],
)
def test_a_checkpoint_that_fits_nearly_is_called_near(
    tmp_path: Path, spoil: Callable[[State], State], message: str
) -> None:
    with pytest.raises(InputError) as error:
        load(spoil(state("cyclegan-resnet")), tmp_path, "cyclegan-resnet")

    assert re.search(message, error.value.what), error.value.what
    assert "architecture =" not in error.value.do, "no other is closer"


@pytest.mark.parametrize("asked", sorted(zoo.ARCHITECTURES))
@pytest.mark.parametrize(("name", "index"), [("transformer-net", 0), ("cyclegan-resnet", 1), ("pix2pix-unet", 1)])
def test_another_architecture_that_fits_is_named(tmp_path: Path, asked: str, name: str, index: int) -> None:
    if asked == name:
        return
    with pytest.raises(InputError, match=f"is not an? {asked} checkpoint: none of its") as error:
        load(state(name, index), tmp_path, asked)
    variant = zoo.architecture(name).variants[index].name
    label = f"{name} ({variant})" if variant else name
    assert error.value.do == f"it fits {label}: set architecture = {name!r}"


def test_another_architecture_that_is_closer_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an animegan2 checkpoint: none") as error:
        load(without_one(state("cyclegan-resnet")), tmp_path, "animegan2")
    assert "closer to cyclegan-resnet (9 blocks), of which 47 of 48 tensors fit" in error.value.do


def test_what_fits_nothing_is_said_to(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not an animegan2 checkpoint: none .* 2 too many \(a\.weight, b\)") as error:
        load({"a.weight": torch.zeros(3, 3), "b": torch.zeros(3)}, tmp_path, "animegan2")
    assert "fits none that is known" in error.value.do


def test_a_real_checkpoint_with_an_array_missing_is_told_which(tmp_path: Path, shared: Path) -> None:
    with np.load(shared / "data/fast_style/wave.npz") as arrays:
        np.savez(tmp_path / "x.npz", **{name: arrays[name] for name in arrays if name != "Variable_7"})
    with pytest.raises(InputError, match="missing Variable_7"):
        checkpoint.load(tmp_path / "x.npz", "fast-style")


def test_dicts_that_hold_themselves_and_each_other_end_at_once(tmp_path: Path) -> None:
    names = ["ema", "model", "state_dict", "params", "generator", "shadow"]
    inner: dict[str, object] = {"decay": 0.5}
    for _ in range(40):  # 6 to the power of 40 ways down
        inner = dict.fromkeys(names, inner)
    inner["model"] = inner
    torch.save(inner, tmp_path / "x.pt")
    with pytest.raises(InputError):
        weights.read(tmp_path / "x.pt")
