import pytest

from pocketlens.accelerators import engine
from pocketlens.errors import InputError
from pocketlens.placement import ACCELERATORS, Placement, accelerator_named, notes, table
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
    assert Placement("x", "refused", psnr=8.04, reason="another picture").text == "refused, 8.0 dB"
    assert Placement("x", "by-rule", ("MUL",), source="https://example.com").text == "by rule: not MUL"
    assert Placement("x", "unchecked", reason="pip install y").text == "not checked"


def test_the_table_has_a_column_for_each_accelerator_that_was_asked() -> None:
    asked = {
        "a": [Placement("litert-gpu", "partly", ("MUL",), "too new"), Placement("later", "whole", psnr=50)],
        "b": [Placement("litert-gpu", "unchecked", reason="install it")],
        "c": [Placement("litert-gpu", "unchecked", reason="install it")],
    }
    assert table(asked) == (
        ["artifact", "LiteRT GPU", "later"],
        [["a", "partly: not MUL", "whole, 50.0 dB"], ["b", "not checked", "-"], ["c", "not checked", "-"]],
    )
    assert notes(asked) == ["a on LiteRT GPU: too new", "LiteRT GPU: not checked: install it"]
    assert table({}) == (["artifact"], [])
