"""Where trainings run: one function says it, and nothing else asks."""

from pathlib import Path

import pytest
import torch

import pocketlens
from pocketlens.models.training import loop


@pytest.mark.parametrize(("there", "wanted"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_used_where_torch_sees_one(monkeypatch: pytest.MonkeyPatch, there: bool, wanted: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert loop.device().type == wanted


def test_nothing_else_names_a_gpu() -> None:
    root = Path(pocketlens.__file__).parent
    asking = [p.relative_to(root) for p in (root / "models").rglob("*.py") if "cuda" in p.read_text(encoding="utf-8")]
    assert asking == [Path("models/training/loop.py")]
