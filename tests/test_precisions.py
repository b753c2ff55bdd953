"""The one table of precisions."""

import pytest

from pocketlens.converters.emitter import EMITTERS
from pocketlens.errors import InputError
from pocketlens.precisions import NAMES, PRECISIONS, check


def test_every_target_has_known_precisions() -> None:
    assert list(PRECISIONS) == list(EMITTERS)
    for has in PRECISIONS.values():
        assert set(has) <= set(NAMES)
        assert {"fp32", "fp16"} <= set(has)


def test_what_a_target_has_not() -> None:
    assert check("tflite", "fp16") == "fp16"
    with pytest.raises(InputError, match="onnx has no precision 'w3'"):
        check("onnx", "w3")
    with pytest.raises(InputError, match="no target 'ncnn'"):
        check("ncnn", "fp16")
