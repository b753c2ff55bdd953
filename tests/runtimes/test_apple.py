"""What coremltools finds while it is imported, and what it leaves out while it converts, is as before afterwards."""

import gc
import importlib
import sys

import pytest

from pocketlens.runtimes import apple


def test_a_module_is_hidden_only_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with apple._instead_of("colorsys", None), pytest.raises(ImportError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").rgb_to_hsv
    with apple._instead_of("colorsys", None):  # imported already: it stays
        assert importlib.import_module("colorsys").rgb_to_hsv


def test_objects_are_collected_again_after_a_conversion() -> None:
    with pytest.raises(ValueError), apple.collected_seldom():
        assert gc.get_freeze_count() > 0
        raise ValueError
    assert gc.get_freeze_count() == 0


def test_programs_are_checked_again_after_a_conversion() -> None:
    apple.coremltools()
    from coremltools.converters.mil.mil import Block, Program

    before = Program.validate, Block._propagate_nonreplaceable_vars
    with apple.checked_seldom():
        assert Program.validate is not before[0]
    assert (Program.validate, Block._propagate_nonreplaceable_vars) == before
