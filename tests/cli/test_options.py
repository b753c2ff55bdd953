import pytest

from pocketlens.cli import options
from pocketlens.errors import InputError


def test_what_may_be_repeated_may_hold_commas() -> None:
    assert options.several(None) == ()
    assert options.several(["onnx,tflite", " coreml,", "onnx"]) == ("onnx", "tflite", "coreml")


def test_numbers_of_threads() -> None:
    assert options.thread_counts(["1,02", "2"]) == (1, 2)
    for wrong in ("0", "257", "two", "-1", "²"):
        with pytest.raises(InputError, match="--threads has"):
            options.thread_counts(["1", wrong])


@pytest.mark.parametrize("text", ["256x384", "256X384"])
def test_a_size_is_height_x_width(text: str) -> None:
    assert options.parse_size(text) == (256, 384)
