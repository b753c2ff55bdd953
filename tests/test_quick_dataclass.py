"""Its dataclasses behave as Python's own."""

import dataclasses
import pickle
from typing import Any, ClassVar

import pytest

from pocketlens import quick_dataclass

FIELDS = ("kind", "count", "notes")


def _defined(decorator: Any) -> Any:
    class Thing:
        kind: str
        count: int = dataclasses.field(default=2, compare=False)
        notes: list[int] = dataclasses.field(default_factory=list, repr=False)

    return decorator(frozen=True)(Thing)


OWN, PYTHONS = _defined(quick_dataclass.dataclass), _defined(dataclasses.dataclass)


@quick_dataclass.dataclass(frozen=True)
class Pair:
    """In a module, so that it can be pickled."""

    left: int
    right: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.left < 0:
            raise ValueError("negative")

    def __str__(self) -> str:
        return f"{self.left} | {self.right}"


@pytest.mark.parametrize("given", [(("a",), {}), (("a", 3, [1]), {}), (("a",), {"notes": [4]}), ((), {"kind": "b"})])
def test_values_text_and_copies(given: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    own, pythons = (kind(*given[0], **given[1]) for kind in (OWN, PYTHONS))
    assert dataclasses.asdict(own) == dataclasses.asdict(pythons)
    assert repr(own) == repr(pythons)
    changed = [dataclasses.replace(thing, kind="c") for thing in (own, pythons)]
    assert dataclasses.asdict(changed[0]) == dataclasses.asdict(changed[1])
    assert [f.name for f in dataclasses.fields(own)] == list(FIELDS) == list(OWN.__match_args__)


def test_each_has_its_own_list() -> None:
    assert OWN("a").notes is not OWN("a").notes


@pytest.mark.parametrize("kind", [OWN, PYTHONS])
@pytest.mark.parametrize(
    ("values", "named"), [((), {}), (("a", 1, [], 4), {}), (("a",), {"kind": "b"}), (("a",), {"x": 1})]
)
def test_what_is_missing_or_too_much(kind: Any, values: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        kind(*values, **named)


@pytest.mark.parametrize("kind", [OWN, PYTHONS])
def test_equal_and_frozen(kind: Any) -> None:
    assert kind("a", 1) == kind("a", 5) != kind("b", 1)
    assert kind("a") != ("a", 2, [])
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind("a").kind = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del kind("a").kind
    with pytest.raises(TypeError):
        hash(kind("a"))  # a list


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(AssertionError):

        @quick_dataclass.dataclass(frozen=True)
        class Shared:
            everywhere: ClassVar[int] = 1

    for options in ({"init": False}, {"hash": False}):
        with pytest.raises(AssertionError):

            @quick_dataclass.dataclass(frozen=True)
            class Odd:
                own: int = dataclasses.field(default=1, **options)  # type: ignore[call-overload]


def test_hashed_pickled_and_checked() -> None:
    pair = Pair(1, (2,))
    assert {pair: 3}[Pair(1, (2,))] == 3
    assert pickle.loads(pickle.dumps(pair)) == pair
    assert str(pair) == "1 | (2,)"
    with pytest.raises(ValueError, match="negative"):
        Pair(-1)
