"""Models of other signatures are bound to one picture in and one out, and make of it what they made before."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.bind import bind, one_of_batch
from pocketlens.converters.prepare import prepare
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.signature import Signature
from pocketlens.errors import InputError
from tests.converters.graph_builder import GraphBuilder, run
from tests.generators import picture

SIZE = (8, 12)
PIXELS = picture(*SIZE, 5).transpose(2, 0, 1)[None].astype(np.float32)


def mixing(channels: int = 3, batch: int = 1) -> GraphBuilder:
    """A convolution to three channels, and one to one channel."""
    builder = GraphBuilder((batch, channels, *SIZE))
    wide = builder.add("Conv", "x", builder.random(3, channels, 3, 3), pads=[1, 1, 1, 1])
    builder.add("Add", builder.add("Mul", wide, builder.array(0.05)), builder.array(128))
    return builder


def with_output(builder: GraphBuilder, name: str) -> ir.Model:
    model = builder.model()
    value = next(v for node in model.graph for v in node.outputs if v.name == name)
    model.graph.outputs.append(value)
    return model


def stylized(model: ir.Model) -> np.ndarray:
    graph = prepare(model, *SIZE, Ranges())
    hub.check(graph)
    return run(graph, {hub.INPUT: PIXELS})[0]


def as_pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255)


def test_one_of_several_outputs_is_chosen_by_name_and_by_channel() -> None:
    builder = mixing()
    inner = builder.model().graph[0].outputs[0].name
    model = with_output(builder, str(inner))
    before = run(model.clone(), {"x": PIXELS})
    for name, expected in ((str(inner), before[1]), (f"{inner}.2", before[1][:, [2, 2, 2]])):
        chosen = model.clone()
        assert bind(chosen, Signature(output=name))
        assert np.allclose(stylized(chosen), as_pixels(expected), atol=1e-2)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (Signature(), ["2 outputs", "--output"]),
        (Signature(output="no"), ["no output 'no'", "choose from"]),
        (Signature(output="v0.7"), ["has 3 channels"]),
        (Signature(output="v0", input="z"), ["no input 'z'"]),
        (Signature(output="v0", constants=(("z", "1"),)), ["no input 'z' to fix"]),
        (Signature(output="v0", constants=(("x.3", "1"),)), ["has 3 channels", "three of them colours"]),
    ],
)
def test_what_is_not_clear_is_asked_for_by_name(signature: Signature, words: list[str]) -> None:
    model = with_output(mixing(), "v0")
    with pytest.raises(InputError) as raised:
        bind(model, signature)
    assert all(word in str(raised.value) for word in words), str(raised.value)


def with_second_input(shape: tuple[object, ...]) -> ir.Model:
    builder = mixing()
    model = builder.model()
    second = ir.Value(name="second", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(shape))
    model.graph.inputs.append(second)
    last = model.graph.outputs[0]
    node = ir.node("Mul", [last, second], name="gated", outputs=[ir.Value(name="gated_out", type=last.type)])
    node.outputs[0].shape = last.shape
    model.graph.append(node)
    model.graph.outputs[0] = node.outputs[0]
    return model


@pytest.mark.parametrize("shape", [(1, 1, *SIZE), (1, 1, "H", "W"), (1, 3, 1, 1), ()])
@pytest.mark.parametrize("from_file", [False, True])
def test_other_inputs_are_fixed_to_numbers_and_arrays(
    shape: tuple[object, ...], from_file: bool, tmp_path: Path
) -> None:
    model = with_second_input(shape)
    lengths = [d if isinstance(d, int) else SIZE[i - 2] for i, d in enumerate(shape)]
    array = np.full(lengths, 0.75, np.float32)
    np.save(tmp_path / "second.npy", array)
    expected = run(model.clone(), {"x": PIXELS, "second": array})[0]
    value = "second.npy" if from_file else "0.75"
    assert bind(model, Signature(input="x", constants=(("second", value),), base=tmp_path))
    assert [v.name for v in model.graph.inputs] == ["x"]
    assert np.allclose(stylized(model), as_pixels(expected), atol=1e-2)


@pytest.mark.parametrize("text", ["missing.npy", "text.npy", "wrong.npy"])
def test_a_constant_that_does_not_fit_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "wrong.npy", np.zeros((2, 5), np.float32))
    with pytest.raises(InputError, match=r"neither a number nor a file|is no array|that it is fixed to"):
        bind(with_second_input((1, 3, 1, 1)), Signature(constants=(("second", text),), base=tmp_path))


@pytest.mark.parametrize("place", [0, 3])
def test_a_fourth_channel_is_fixed(place: int) -> None:
    model = mixing(4).model()
    array = np.insert(PIXELS, place, 7.0, axis=1)
    expected = run(model.clone(), {"x": array})[0]
    assert bind(model, Signature(constants=((f"x.{place}", "7"),)))
    assert np.allclose(stylized(model), as_pixels(expected), atol=1e-4)


def test_colours_are_normalized_and_turned() -> None:
    model = mixing().model()
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    taken = ((PIXELS / 255 - mean.reshape(1, 3, 1, 1)) / deviation.reshape(1, 3, 1, 1))[:, ::-1].astype(np.float32)
    expected = run(model.clone(), {"x": np.ascontiguousarray(taken)})[0][:, ::-1]
    said = Signature(mean=tuple(mean), deviation=tuple(deviation), input_order="BGR", output_order="BGR")
    assert bind(model, said)
    assert np.allclose(stylized(model), as_pixels(expected), atol=1e-3)


def test_a_mean_of_whole_pixels_says_so_by_its_size() -> None:
    scale, shift = Signature(mean=(103.5, 116.0, 123.0)).normalization() or (None, None)
    assert scale is not None
    assert shift is not None
    assert scale.tolist() == [1, 1, 1]
    assert shift.tolist() == [-103.5, -116, -123]


def test_a_fixed_batch_becomes_one() -> None:
    builder = mixing(batch=10)
    flat = builder.add("Reshape", builder.last, builder.ints(10, 3, -1))
    builder.add("Reshape", flat, builder.ints(10, 3, *SIZE))
    model = builder.model()
    expected = run(model.clone(), {"x": np.repeat(PIXELS, 10, 0)})[0][:1]
    assert bind(model, Signature())
    single = one_of_batch(model.clone())
    assert single is not None
    one, ten = single.clone(), model.clone()
    assert np.allclose(stylized(model), as_pixels(expected), atol=1e-2)
    assert np.allclose(stylized(single), as_pixels(expected), atol=1e-2)
    batches = [{int(node.outputs[0].shape[0]) for node in prepare(m, *SIZE, Ranges()).graph} for m in (one, ten)]  # type: ignore
    assert batches[0] == {1}
    assert 10 in batches[1]


@pytest.mark.parametrize("axes", [(0, 1), (0, 1, 1)])
def test_grey_pictures_repeat_in_every_colour(axes: tuple[int, ...]) -> None:
    builder = mixing()
    grey = builder.add("ReduceMean", builder.last, builder.ints(1), keepdims=int(len(axes) == 2))
    model = builder.model()
    expected = run(model.clone(), {"x": PIXELS})[0].reshape(1, 1, *SIZE)
    assert grey
    assert not bind(model, Signature())
    assert np.allclose(stylized(model), as_pixels(np.repeat(expected, 3, 1)), atol=1e-2)
