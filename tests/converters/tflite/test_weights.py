"""How a file stores weights."""

from tests.converters.tflite.harness import compare, emit_bytes, floats, kernel, model, node


def test_half_weights_stay_in_one_partition() -> None:
    for groups in (1, 8):
        built = model(node("Conv", "image", kernel(8, 8 // groups, 3, 3), floats(8), group=groups))
        outcome = compare(built, "fp16")
        assert (outcome.operators["DEQUANTIZE"], outcome.partitions) == (2, 1)
        assert 1e-6 < outcome.error < 1e-3


def test_weights_beyond_half_precision_stay_whole() -> None:
    built = model(node("Conv", "image", kernel(8, 8, 3, 3) * 1e6))
    outcome = compare(built, "fp16")
    assert outcome.operators == {"CONV_2D": 1}
    assert outcome.error < 1e-6


def test_half_the_weights_half_the_bytes() -> None:
    built = model(node("Conv", "image", floats(64, 8, 9, 9)))
    assert len(emit_bytes(built, "fp16")) < 0.55 * len(emit_bytes(built))
