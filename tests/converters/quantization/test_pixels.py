"""The picture as bytes."""

import numpy as np
import onnx_ir as ir

from pocketlens.converters.quantization.pixels import use_uint8_pixels
from pocketlens.converters.quantization.plan import default_plan
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import load_player, simulate
from pocketlens.converters.ranges import Ranges
from pocketlens.images import to_uint8
from pocketlens.models.export import export
from pocketlens.targets import TARGETS
from tests.generators import picture, seeded, small_graph


def test_bytes_go_in_and_out_and_give_the_same_pixels() -> None:
    graph = small_graph()
    made = use_uint8_pixels(graph)
    assert graph.graph.inputs[0].dtype == ir.DataType.FLOAT
    (image,), (stylized,) = made.graph.inputs, made.graph.outputs
    assert image.dtype == stylized.dtype == ir.DataType.UINT8
    judged = picture(32, 48, 7)
    (played,) = load_player(made)({"image": judged.transpose(2, 0, 1)[None]})
    assert np.array_equal(played[0].transpose(1, 2, 0), to_uint8(simulate(graph, [judged])[0]))


def test_a_quantizer_of_pixels_falls_away() -> None:
    graph = export(seeded(), 32, 48, Ranges((0.0, 255.0), (-1.0, 1.0)))
    made = use_uint8_pixels(
        quantize(
            graph, default_plan("int8"), [picture(32, 48, seed) for seed in (1, 2, 3)], TARGETS["openvino"].quantizers
        )
    )
    readers = [node.op_type for node, _ in made.graph.inputs[0].uses()]
    assert readers == ["DequantizeLinear"]
