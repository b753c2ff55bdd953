"""What a placement says of what an engine answers."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from pocketlens import accelerators
from pocketlens.accelerators import Answer, Request, place
from pocketlens.errors import MissingError
from pocketlens.placement import Placement
from tests.generators import picture


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine that gives a grey picture of 100."""
    module = SimpleNamespace(
        missing=lambda: None,
        version=lambda: "engine 1",
        place=lambda request: Answer(Placement("litert-gpu", "whole"), np.full((8, 8, 3), 100, np.float32)),
    )
    monkeypatch.setitem(sys.modules, "pocketlens.accelerators.litert_gpu", module)
    return module


def test_it_is_compared_with_the_teacher(answers, tmp_path) -> None:  # type: ignore[no-untyped-def]
    request = Request(tmp_path / "x.tflite", picture(8, 8))
    near, far = (np.full((8, 8, 3), value, np.float32) for value in (101, 200))
    assert place("litert-gpu", request, near, 40) == Placement("litert-gpu", "whole", psnr=48.1, engine="engine 1")
    refused = place("litert-gpu", request, far, 40)
    assert (refused.status, refused.psnr) == ("refused", 8.1)
    assert "at least 40 dB" in refused.reason


def test_no_engine_and_no_number(answers, tmp_path) -> None:  # type: ignore[no-untyped-def]
    request = Request(tmp_path / "x.tflite", picture(8, 8))
    nothing = Answer(Placement("litert-gpu", "whole"), np.full((8, 8, 3), np.nan, np.float32))
    answers.place = lambda request: nothing
    assert place("litert-gpu", request, np.zeros((8, 8, 3), np.float32)).status == "refused"
    answers.missing = lambda: MissingError("no driver", do="install one")
    assert place("litert-gpu", request) == Placement("litert-gpu", "unchecked", reason="no driver: install one")
    assert accelerators.engine("litert-gpu") is answers
