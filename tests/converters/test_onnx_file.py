"""Files that are no ONNX models are refused."""

from pathlib import Path

import pytest

from pocketlens.converters import graph as hub
from pocketlens.converters.prepare import read_onnx
from pocketlens.errors import InputError
from tests.generators import small_graph


@pytest.mark.parametrize("damage", ["empty", "text", "truncated"])
def test_damaged_onnx_files(tmp_path: Path, damage: str) -> None:
    hub.save(small_graph(), tmp_path / "good.onnx")
    good = (tmp_path / "good.onnx").read_bytes()
    (tmp_path / "m.onnx").write_bytes(
        {"empty": b"", "text": b"hello there", "truncated": good[: len(good) // 2]}[damage]
    )
    with pytest.raises(InputError, match="not a readable ONNX model"):
        read_onnx(tmp_path / "m.onnx")
