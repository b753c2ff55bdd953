"""Kinds of values that several tables of the recipe have."""

from typing import Annotated

from pydantic import Field

from pocketlens import patterns

Size = tuple[Annotated[int, Field(ge=16, le=4096)], Annotated[int, Field(ge=16, le=4096)]]
"""Height and width in pixels."""
Limit = Annotated[float, Field(gt=0, strict=True)]
Int8Steps = Annotated[int, Field(ge=0, le=10_000_000)]


def expression(text: str) -> str:
    """A regular expression that can be searched for, or an error."""
    if reason := patterns.problem(text):
        raise ValueError(f"{text[:60]!r} is no regular expression that can be searched for: {reason}")
    return text
