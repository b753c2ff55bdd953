import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pocketlens.errors import InputError
from pocketlens.models import checkpoint, zoo
from pocketlens.models.checkpoint_metadata import KEY, CheckpointMetadata, read_metadata, save_checkpoint
from pocketlens.models.fast_style import FastStyle
from pocketlens.models.pocket import Pocket

State = dict[str, torch.Tensor]


@pytest.fixture
def state() -> State:
    torch.manual_seed(0)
    return Pocket().state_dict()


def load(state: State, folder: Path, architecture: str = "pocket") -> torch.nn.Module:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "x.safetensors")
    return checkpoint.load(folder / "x.safetensors", architecture)


def test_a_checkpoint_is_as_readable_as_any_other_file(tmp_path: Path) -> None:
    save_checkpoint(Pocket(), tmp_path / "x.safetensors", CheckpointMetadata("pocket", {}))
    (tmp_path / "plain").touch()
    assert (tmp_path / "x.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["wave", "la_muse", "scream"])
def test_real_generators_compute_what_their_authors_compute(shared: Path, name: str) -> None:
    generator = checkpoint.load(shared / f"data/fast_style/{name}.npz", "fast-style")
    golden = np.load(shared / "golden/fast_style.npz")
    picture = torch.from_numpy(golden["input"].astype(np.float32).transpose(2, 0, 1)[None])
    with torch.no_grad():
        output = generator(picture)[0].numpy().transpose(1, 2, 0)
    assert np.abs(output - golden[name]).max() < 0.01


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path, state: State) -> None:
    generator = load(state, tmp_path)
    assert not generator.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in generator.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_become_float32(tmp_path: Path, state: State, dtype: torch.dtype) -> None:
    generator = load({n: t.to(dtype) if t.is_floating_point() else t for n, t in state.items()}, tmp_path)
    assert {t.dtype for t in generator.parameters()} == {torch.float32}


def test_batch_counters_may_be_missing(tmp_path: Path, state: State) -> None:
    load({n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}, tmp_path)


def test_fast_style_loads_from_its_own_state_dict(tmp_path: Path) -> None:
    load(FastStyle().state_dict(), tmp_path, "fast-style")


def without_some(state: State) -> None:
    for name in [n for n in state if n.startswith("blocks.0")]:
        del state[name]


def with_more(state: State) -> None:
    state |= {f"blocks.99.{i}": torch.zeros(2) for i in range(7)}


def with_shape(state: State) -> None:
    state["head.bias"] = torch.zeros(48)


def with_integers(state: State) -> None:
    state["head.bias"] = torch.zeros(12, dtype=torch.int32)


def with_nan(state: State) -> None:
    state["head.bias"][3] = torch.nan


def with_infinity(state: State) -> None:
    state["stem.norm.running_var"][:2] = torch.inf


def with_overflow(state: State) -> None:
    state["head.bias"] = torch.full((12,), 1e300, dtype=torch.float64)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_some, r"5 missing \(blocks\.0\.conv\.weight, .* and 1 more\)"),
        (with_more, r"7 too many \(blocks\.99\.0, .* and 3 more\)"),
        (with_shape, r"1 of another shape \(head\.bias is \[48\] and should be \[12\]\)"),
        (with_integers, r"head\.bias is torch\.int32, expected a float type"),
        (with_nan, r"head\.bias holds 1 values that are NaN or infinite .* of 12"),
        (with_infinity, r"stem\.norm\.running_var holds 2 values"),
        (with_overflow, r"head\.bias holds 12 values"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, state: State, spoil: Callable[[State], None], message: str
) -> None:
    spoil(state)
    with pytest.raises(InputError, match=message):
        load(state, tmp_path)


def test_the_architecture_that_fits_is_named(tmp_path: Path, state: State, shared: Path) -> None:
    with pytest.raises(InputError, match="not a fast-style checkpoint") as error:
        load(state, tmp_path, "fast-style")
    assert "architecture = 'pocket'" in error.value.do
    with pytest.raises(InputError, match=r"not a pocket checkpoint: .* missing") as error:
        checkpoint.load(shared / "data/fast_style/wave.npz", "pocket")
    assert "architecture = 'fast-style'" in error.value.do


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no architecture 'vgg'") as error:
        checkpoint.load(tmp_path / "x.npz", "vgg")
    assert all(name in error.value.do for name in zoo.ARCHITECTURES)


@pytest.mark.parametrize("name", sorted(zoo.ARCHITECTURES))
def test_the_table_says_what_the_classes_say(name: str) -> None:
    listed = zoo.ARCHITECTURES[name]
    multiples = []
    for variant in listed.variants:
        module = listed.skeleton(variant)
        assert (module.input_range, module.output_range) == (listed.ranges.input, listed.ranges.output)
        assert module.multiple % listed.multiple == 0
        multiples.append(module.multiple)
    assert min(multiples) == listed.multiple


def test_biases_of_another_number_are_refused(tmp_path: Path, state: State) -> None:
    spoilt = {name: tensor.contiguous() for name, tensor in state.items()} | {"head.bias": torch.zeros(5)}
    about = json.dumps({"architecture": "pocket", "arguments": {}, "pruned": True})
    save_file(spoilt, tmp_path / "x.safetensors", {KEY: about})
    with pytest.raises(InputError, match=r"head gives 12 channels and has 5 biases"):
        checkpoint.load(tmp_path / "x.safetensors", "pocket")


def test_digest_changes_with_names_types_shapes_and_bytes() -> None:
    def digest(**tensors: torch.Tensor) -> str:
        module = torch.nn.Module()
        for name, tensor in tensors.items():
            module.register_buffer(name, tensor)
        return checkpoint.digest(module)

    zeros = torch.zeros(2, 2)
    variants = [
        digest(a=zeros), digest(b=zeros), digest(a=zeros.half()), digest(a=zeros.reshape(4)), digest(a=zeros + 1)
    ]  # fmt: skip
    assert len(set(variants)) == len(variants)
    assert digest(a=zeros, b=zeros + 1) == digest(b=zeros + 1, a=zeros.clone())


@pytest.mark.parametrize(
    "about",
    [
        "[" * 100_000,
        '{"architecture": "pocket", "arguments": {"blocks": 4096}, "pruned": false}',
        '{"architecture": "pocket", "arguments": {"channels": 0}, "pruned": false}',
        '{"architecture": "pocket", "arguments": {"channels": 16}, "pruned": true, "ranges": {"head": [-1, 1e400]}}',
        '{"architecture": "pix2pix-unet", "arguments": {"halvings": 0}, "pruned": false}',
    ],
)
def test_a_checkpoint_that_says_what_cannot_be_is_refused_at_once(tmp_path: Path, about: str) -> None:
    architecture = "pix2pix-unet" if "pix2pix" in about else "pocket"
    save_file({"head.weight": torch.zeros(1)}, tmp_path / "x.safetensors", {KEY: about})
    with pytest.raises(InputError):
        checkpoint.load(tmp_path / "x.safetensors", architecture)


def test_weights_without_values_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="zero-element"):
        empty = {name: tensor.clone() for name, tensor in Pocket(channels=0).state_dict().items()}
    save_file(
        empty,
        tmp_path / "x.safetensors",
        {KEY: '{"architecture": "pocket", "arguments": {"channels": 0}, "pruned": false}'},
    )
    with pytest.raises(InputError, match="does not hold what it says"):
        checkpoint.load(tmp_path / "x.safetensors", "pocket")


@pytest.mark.parametrize("pruned", [False, True])
def test_a_checkpoint_with_the_arguments_names_of_earlier_versions_is_read(tmp_path: Path, pruned: bool) -> None:
    """What was trained before the arguments had their present names loads, and gives the same picture."""
    torch.manual_seed(0)
    module = Pocket(channels=16, half_res_channels=8, instance_norm=1).eval()
    path, arguments = tmp_path / "x.safetensors", {"channels": 16, "half": 8, "whole": 1}
    description = json.dumps({"architecture": "pocket", "arguments": arguments, "pruned": pruned})
    save_file({name: tensor.contiguous() for name, tensor in module.state_dict().items()}, path, {KEY: description})
    metadata = read_metadata(path)
    assert metadata is not None
    assert metadata.arguments == {"channels": 16, "half_res_channels": 8, "instance_norm": 1}
    x = torch.rand(1, 3, 16, 16) * 255
    with torch.no_grad():
        assert torch.equal(checkpoint.load(path, "pocket")(x), module(x))


def test_new_names_are_written(tmp_path: Path) -> None:
    arguments = {"channels": 16, "half_res_channels": 8, "instance_norm": 1}
    path = tmp_path / "x.safetensors"
    save_checkpoint(Pocket(**arguments), path, CheckpointMetadata("pocket", arguments))
    with safe_open(path, framework="numpy") as archive:
        assert json.loads(archive.metadata()[KEY])["arguments"] == arguments
