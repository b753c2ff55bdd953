import pytest

from pocketlens.errors import InputError
from pocketlens.runtimes.styling import blend, parse

NAMES = ("ink", "oil", "chalk")


@pytest.mark.parametrize(
    ("style", "weights"),
    [
        ("oil", [0, 1, 0]),
        (2, [0, 0, 1]),
        ({"ink": 3, "chalk": 1}, [0.75, 0, 0.25]),
        ([1, 1, 2], [0.25, 0.25, 0.5]),
        ({"ink": 0.25}, [1, 0, 0]),
    ],
)
def test_every_way_to_say_a_style(style: object, weights: list[float]) -> None:
    assert blend(style, NAMES).tolist() == weights  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ("water", "choose from ink, oil, chalk"),
        (3, "there is no style 3"),
        (-1, "there is no style -1"),
        ({"ink": 1, "water": 1}, "'water'"),
        ({"ink": -0.5, "oil": 1}, "-0.5"),
        ({"ink": float("nan")}, "nan"),
        ([1, 2], "2 weights for 3 styles"),
        ([0, 0, 0], "over 0"),
        ({}, "over 0"),
    ],
)
def test_styles_that_make_no_sense_are_refused(style: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        blend(style, NAMES)  # type: ignore[arg-type]


def test_styles_are_typed_as_names_or_weights() -> None:
    assert parse(["ink"]) == "ink"
    assert parse(["ink=0.5,oil=1.5"]) == parse(["ink=0.5", "oil=1.5"]) == {"ink": 0.5, "oil": 1.5}
    assert parse(["ink,oil"]) == {"ink": 1.0, "oil": 1.0}
    for wrong in (["ink=much"], ["ink=1,ink=2"]):
        with pytest.raises(InputError):
            parse(wrong)
