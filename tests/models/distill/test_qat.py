"""Quantization-aware training: that it rounds as the graph does, what it gains in real files, and that checkpoints keep
it.
"""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pocketlens
from pocketlens import images, quality
from pocketlens.converters import graph as hub
from pocketlens.converters.quantization.qat import TrainedConv, insert_qat_quantizers
from pocketlens.converters.quantization.qparams import choose_qparams_affine
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models import checkpoint, zoo
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, read_metadata, save_checkpoint
from pocketlens.models.distill.dataset import DistillationDataset
from pocketlens.models.distill.distillation import Distillation, LossWeights
from pocketlens.models.distill.qat import (
    FakeQuantize,
    freeze_range,
    observe_ranges,
    prepare_qat,
    remove_qat,
    trained_ranges,
)
from pocketlens.models.export import export
from pocketlens.models.pocket import Pocket
from pocketlens.models.source import resolve
from pocketlens.models.training.loop import Schedule, run_training, seed_everything
from pocketlens.pipeline.stages.trained_quantizers import insert_trained_quantizers
from pocketlens.runtimes.session import open_artifact

SIDE = 48
ARGUMENTS = {"channels": 16, "blocks": 3}


def generator() -> Pocket:
    """LossWeights with heavy tails and statistics of real pictures: what is hard for eight bits."""
    torch.manual_seed(3)
    module = Pocket(**ARGUMENTS)
    for name, weight in module.named_parameters():
        if name.endswith("conv.weight"):
            tails = torch.distributions.StudentT(2.0).sample(weight.shape)
            weight.data = tails / tails.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1) * 1.4
    module.head.weight.data *= 60
    module.train()
    with torch.no_grad():
        for seed in range(40):
            module(pixels(seed))
    return module.eval()


def pixels(seed: int) -> torch.Tensor:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
    picture = images.resize(coarse, SIDE, SIDE).astype(np.float32) + random.normal(0, 6, (SIDE, SIDE, 3))
    return torch.from_numpy(images.to_uint8(picture).transpose(2, 0, 1)[None].astype(np.float32))


def layers(module: nn.Module) -> list[TrainedConv]:
    convolutions = [(name, module.get_submodule(name), ends) for name, ends in trained_ranges(module).items()]
    return [
        TrainedConv(name, layer.weight.detach().numpy(), isinstance(layer, nn.ConvTranspose2d), ends)  # type: ignore[union-attr]
        for name, layer, ends in convolutions
    ]


def as_picture(x: torch.Tensor) -> images.Picture:
    return x[0].numpy().transpose(1, 2, 0).astype(np.uint8)


def test_rounding_is_that_of_the_graph() -> None:
    x = torch.linspace(-3, 5, 997)
    quantizer = choose_qparams_affine(-1.3, 4.1, 8)
    expected = (
        np.clip(np.rint(x.numpy() / quantizer.scale) + quantizer.zero_point, 0, 255) - quantizer.zero_point
    ) * quantizer.scale
    assert np.abs(FakeQuantize((-1.3, 4.1))(x).detach().numpy() - expected).max() < 1e-6


def test_the_range_learns_and_zero_stays_inside() -> None:
    fake_quantize = FakeQuantize((0.0, 8.0))
    adam = torch.optim.Adam(fake_quantize.parameters(), 0.05)
    x = torch.rand(4096)
    for _ in range(120):
        adam.zero_grad()
        (fake_quantize(x) - x).square().mean().backward()
        adam.step()
    low, high = fake_quantize.current_range().tolist()
    assert low == 0
    assert 0.9 < high < 1.5


def test_the_graph_gives_what_the_rounding_module_gives() -> None:
    module = generator()
    prepared = prepare_qat(module, observe_ranges(module, [pixels(seed) for seed in range(4)])).eval()
    graph = insert_qat_quantizers(export(remove_qat(prepared), SIDE, SIDE, Ranges()), layers(prepared))
    simulated = simulate(graph, [as_picture(pixels(90))])[0]
    with torch.no_grad():
        expected = prepared(pixels(90))[0].numpy().transpose(1, 2, 0)
        exact = module(pixels(90))[0].numpy().transpose(1, 2, 0)
    assert sum(node.op_type == "QuantizeLinear" for node in graph.graph) == len(layers(prepared))
    assert quality.psnr(np.clip(expected, 0, 255), simulated) > 45
    assert quality.psnr(np.clip(expected, 0, 255), simulated) > quality.psnr(np.clip(exact, 0, 255), simulated) + 10


@pytest.mark.parametrize("name", ["cyclegan-resnet", "animegan2"])
def test_pictures_of_another_range_are_rounded_in_the_range_of_the_graph(name: str) -> None:
    """The graph takes 0..255, its module -1..1: what reads the picture has its range in the graph's numbers."""
    torch.manual_seed(0)
    architecture = zoo.architecture(name)
    module = architecture.generator_class()(**architecture.variants[-1].arguments).eval()
    low, high = architecture.ranges.input
    shown = [pixels(seed) / 255 * (high - low) + low for seed in range(4)]
    ranges = observe_ranges(module, shown)
    first = next(iter(ranges))
    ranges[first] = (low, high)
    prepared = prepare_qat(module, ranges).eval()
    freeze_range(prepared, first)
    graph = insert_qat_quantizers(
        export(remove_qat(prepared), SIDE, SIDE, architecture.ranges), layers(prepared), architecture.ranges.input
    )
    simulated = simulate(graph, [as_picture(pixels(3))])[0]
    with torch.no_grad():
        expected = (prepared(shown[3])[0].numpy().transpose(1, 2, 0) - low) / (high - low) * 255
    assert quality.psnr(np.clip(expected, 0, 255), simulated) > 40


def test_a_student_that_was_trained_for_int8_is_built_for_every_target(tmp_path: Path, shared: Path) -> None:
    """Also where a target keeps layers of few channels in float when it plans by itself."""
    module = checkpoint.load(shared / "data/fast_style/wave.npz", "fast-style")
    ranges = observe_ranges(module, [pixels(seed) for seed in range(2)])
    metadata = CheckpointMetadata("fast-style", {}, ranges=ranges)
    save_checkpoint(module, tmp_path / "felt.safetensors", metadata)
    (tmp_path / "felt.toml").write_text(
        '[filter]\nname = "felt"\nsource = "felt.safetensors"\narchitecture = "fast-style"\n'
        f"sizes = [[{SIDE}, {SIDE}]]\n"
        '[accelerators]\nlitert_gpu = "off"\n[targets]\nonnx = ["int8"]\nopenvino = ["int8"]\ntflite = ["int8"]\n'
    )
    built = pocketlens.build(tmp_path / "felt.toml", tmp_path / "felt.bundle", bench=False)
    assert [artifact.target for artifact in built.manifest.artifacts] == ["onnx", "openvino", "tflite"]
    assert all(artifact.scores.psnr > 20 for artifact in built.manifest.artifacts)


def test_the_weights_are_the_same_without_rounding() -> None:
    module = generator()
    prepared = prepare_qat(module, {"stem.conv": (0.0, 255.0)})
    restored = remove_qat(prepared)
    assert type(restored.get_submodule("stem.conv")) is nn.Conv2d
    with torch.no_grad():
        assert torch.equal(restored(pixels(1)), module(pixels(1)))
        assert not torch.equal(prepared(pixels(1)), module(pixels(1)))
    assert copy.deepcopy(prepared).state_dict().keys() == prepared.state_dict().keys()


def test_training_through_rounding_beats_rounding_afterwards_in_the_file(tmp_path: Path) -> None:
    """The same student, built into OpenVINO's int8 file twice: calibrated, and with ranges and weights that were
    trained.
    """
    module = generator()
    with torch.no_grad():
        inputs = torch.cat([pixels(seed) for seed in range(48)])
        targets = torch.cat([module(picture[None]) for picture in inputs]).clamp(0, 255)
    dataset = DistillationDataset(inputs.numpy().astype(np.uint8), targets.round().numpy().astype(np.uint8), None)
    schedule = Schedule(steps=150, score_every=1000, save_every=1000, threads=1, decay=0.98)
    random = seed_everything(schedule)
    prepared = prepare_qat(module, observe_ranges(module, [picture[None] for picture in inputs[:8]])).requires_grad_(
        True
    )
    pixels_only = LossWeights(
        ssim=0, gradient=0, frequency=0
    )  # the targets are its own outputs: there is no style to learn
    task = Distillation(prepared, [dataset], lambda student, step: {}, pixels_only, pixels=4 * SIDE * SIDE, peak=1e-4)
    result = run_training(task, schedule, random, None, "key")
    save_checkpoint(module, tmp_path / "before.safetensors", CheckpointMetadata("pocket", ARGUMENTS))
    metadata = CheckpointMetadata("pocket", ARGUMENTS, ranges=trained_ranges(result.student))
    save_checkpoint(remove_qat(result.student), tmp_path / "after.safetensors", metadata)
    shown = tmp_path / "pictures"
    for seed in range(6):
        images.write(shown / f"{seed}.png", as_picture(pixels(seed)))
    scores = {}
    for name in ("before", "after"):
        (tmp_path / f"{name}.toml").write_text(
            f'[filter]\nname = "{name}"\nsource = "{name}.safetensors"\narchitecture = "pocket"\n'
            f"sizes = [[{SIDE}, {SIDE}]]\n"
            '[pictures]\ncalibrate = "pictures"\n[targets]\nopenvino = ["int8"]\n'
        )
        built = pocketlens.build(tmp_path / f"{name}.toml", tmp_path / f"{name}.bundle", bench=False)
        (artifact,) = built.manifest.artifacts
        with open_artifact(tmp_path / f"{name}.bundle" / artifact.path) as session, torch.no_grad():
            scores[name] = [
                quality.psnr(
                    np.clip(module(pixels(seed))[0].numpy().transpose(1, 2, 0), 0, 255),
                    np.clip(session.floats(as_picture(pixels(seed))), 0, 255),
                )
                for seed in range(90, 98)
            ]
    assert np.mean(scores["after"]) > np.mean(scores["before"]) + 0.5


def test_layers_that_the_graph_does_not_hold_are_named() -> None:
    graph = export(generator(), SIDE, SIDE, Ranges())
    with pytest.raises(InputError, match="'other'"):
        insert_qat_quantizers(graph, [TrainedConv("other", np.ones((16, 3, 4, 4), np.float32), False, (0.0, 1.0))])


def test_ranges_live_in_the_checkpoint_and_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    save_checkpoint(Pocket(), path, CheckpointMetadata("pocket", {}, ranges={"stem.conv": (0.0, 255.0)}))
    metadata = read_metadata(path)
    assert metadata is not None
    assert metadata.ranges == {"stem.conv": (0.0, 255.0)}
    source = resolve(path.name, base=tmp_path, architecture="pocket")
    hub.save(export(source.load(), 32, 32, source.ranges), tmp_path / "g.onnx")
    ready = insert_trained_quantizers(source, tmp_path / "g.onnx", "openvino")
    assert ready is not None
    assert sum(node.op_type == "QuantizeLinear" for node in hub.load(ready).graph) == 1
    save_checkpoint(Pocket(), path, CheckpointMetadata("pocket", {}, ranges={"nowhere": (0.0, 255.0)}))
    with pytest.raises(InputError, match="'nowhere'"):
        insert_trained_quantizers(
            resolve(path.name, base=tmp_path, architecture="pocket"), tmp_path / "g.onnx", "openvino"
        )
    for wrong in ((1.0, 2.0), (0.0, 0.0), (float("nan"), 1.0), (0.0, float("inf")), (0, 10**400)):
        save_checkpoint(Pocket(), path, CheckpointMetadata("pocket", {}, ranges={"stem.conv": wrong}))
        with pytest.raises(InputError):
            read_metadata(path)
