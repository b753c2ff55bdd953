import pytest

from pocketlens.accelerators import engine
from pocketlens.errors import InputError
from pocketlens.placement import ACCELERATORS, Placement, accelerator_named
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import TARGETS


@pytest.mark.parametrize("accelerator", ACCELERATORS.values(), ids=ACCELERATORS)
def test_an_accelerator_names_what_exists(accelerator) -> None:  # type: ignore[no-untyped-def]
    assert accelerator.targets and set(accelerator.targets) <= set(TARGETS)
    assert accelerator.runtime in ("", *RUNTIMES)
    module = engine(accelerator.name)
    assert all(callable(getattr(module, name)) for name in ("missing", "version", "place"))


def test_what_is_no_accelerator() -> None:
    with pytest.raises(InputError, match=r"no accelerator 'tpu'[\s\S]*litert-gpu"):
        accelerator_named("tpu")


def test_a_cell_says_how_it_is_known() -> None:
    assert Placement("x", "refused", reason="no MUL").text == "refused: no MUL"
    assert Placement("x", "by-rule", ("MUL",), source="https://example.com").text == "by rule: partly: not MUL"
    assert Placement("x", "unchecked", reason="pip install y").text == "not checked: pip install y"
