"""Every test of distillation has a cache of its own."""

from pathlib import Path

import numpy as np
import pytest

from pocketlens import images
from pocketlens.models.source import Source
from tests.models.distill.teachers import save_teacher


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return save_teacher(tmp_path)


@pytest.fixture
def eval_pictures() -> list[images.Picture]:
    return [(np.random.default_rng(0).random((64, 64, 3)) * 255).astype(np.uint8)]
