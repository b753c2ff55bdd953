import numpy as np
import onnx_ir as ir
import pytest
import torch

from pocketlens.converters import graph as hub
from pocketlens.converters.ranges import Ranges
from pocketlens.models.export import export
from pocketlens.models.pocket import Pocket


@pytest.fixture
def generator() -> Pocket:
    torch.manual_seed(0)
    pocket = Pocket()
    pocket.train()
    for _ in range(3):  # gives the batch norms statistics that are worth folding
        pocket(torch.rand(4, 3, 32, 32) * 255)
    return pocket.eval()


@pytest.mark.parametrize(("height", "width"), [(4, 4), (4, 12), (20, 36), (52, 28), (8, 100)])
def test_every_multiple_of_four_keeps_its_size(generator: Pocket, height: int, width: int) -> None:
    with torch.no_grad():
        assert generator(torch.rand(2, 3, height, width) * 255).shape == (2, 3, height, width)


def test_other_sizes_fail(generator: Pocket) -> None:
    with pytest.raises(RuntimeError):
        generator(torch.rand(1, 3, 30, 32))


def test_the_graph_is_small_operators_that_every_target_has(generator: Pocket) -> None:
    model = export(generator, 64, 48, Ranges(generator.input_range, generator.output_range))
    kinds = {node.op_type for node in model.graph}
    assert kinds <= {"Conv", "Relu", "Add", "DepthToSpace", "Clip"}, (
        kinds
    )  # batch norms are folded, nothing is reshaped
    assert hub.macs(model) < 0.5e9 * (64 * 48) / 256**2


def test_the_graph_computes_what_torch_computes(generator: Pocket) -> None:
    import onnxruntime

    model = export(generator, 24, 40, Ranges(generator.input_range, generator.output_range))
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"])
    picture = (np.random.default_rng(0).random((1, 3, 24, 40)) * 255).astype(np.float32)
    with torch.no_grad():
        expected = generator(torch.from_numpy(picture)).numpy().clip(0, 255)
    assert np.abs(session.run(None, {hub.INPUT: picture})[0] - expected).max() < 0.01


def test_half_precision_has_room(generator: Pocket) -> None:
    """No value inside may come near fp16's 65504: pixels of 0..255 enter unscaled."""
    largest = 0.0

    def update_largest(_: torch.nn.Module, __: object, output: torch.Tensor) -> None:
        nonlocal largest
        largest = max(largest, float(output.abs().max()))

    for layer in generator.modules():
        layer.register_forward_hook(update_largest)
    with torch.no_grad():
        generator(torch.full((1, 3, 32, 32), 255.0))
    assert largest < 6000
