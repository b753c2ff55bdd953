"""Regular expressions of a recipe: those that backtrack without end are refused, the others end soon."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens import patterns


@pytest.mark.parametrize(
    "pattern",
    [
        "(([a-z/_.0-9]+)+)+!$", "(a+)+$", "(a|aa)+$", "(a|a)*b", "(.*a){20}", "(a?){30}a{30}", "a?" * 30 + "a" * 30,
        ".*.*.*.*b", "((a{1000}){1000}){1000}", "(a)\\1", "(?=a+)b", "a" * 600, "(" * 400 + ")" * 400, "(", "a{2001}",
    ],
)  # fmt: skip
def test_what_takes_longer_than_anybody_waits_is_refused(pattern: str) -> None:
    assert patterns.problem(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["", "conv", "^conv[0-9]+\\.weight$", ".*layer.*conv.*", "(conv|norm)_[0-9]", "block\\d{1,2}(_\\w+)?$", "(?i)CONV"],
)
def test_what_people_write_is_searched_for(pattern: str) -> None:
    assert not patterns.problem(pattern)
    for name in ("conv1.weight", "layer3_conv", "norm_0", "block12_conv", ""):
        assert patterns.is_in(pattern, name) == bool(re.search(pattern, name))


def test_the_slowest_that_is_allowed_ends_soon() -> None:
    start = time.process_time()
    for pattern in ("a*a*a*b", ".*a.*a.*!", "a?a?a?a?a?a*a*b", "[a-z]+[a-z]+[a-z]+!$"):
        assert not patterns.problem(pattern)
        assert not patterns.is_in(pattern, "a" * 100_000)
    assert time.process_time() - start < 5


@given(st.text("ab(|)*+?{1,}[]\\^$.", max_size=12))
def test_any_text_is_answered(pattern: str) -> None:
    if not patterns.problem(pattern):
        re.compile(pattern)
