"""The table of rules, and how a rule gets at its inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Rule = Callable[["Inputs"], Any]
"""Computes an operation: a tensor, or a tuple of them."""

RULES: dict[str, Rule] = {}
"""Every operation that can be run; filled by the other modules of this folder."""


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of some operations."""

    def register(function: Rule) -> Rule:
        for kind in kinds:
            RULES[kind] = function
        return function

    return register


@dataclass(frozen=True)
class Inputs:
    """The inputs of an operation, by parameter. A parameter that is left out has the default of MIL's documentation."""

    bound: dict[str, list[Any]]

    def __contains__(self, name: str) -> bool:
        return name in self.bound

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of a parameter that must be there."""
        (value,) = self.bound[name]
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"{name} is text, expected numbers")
        return value

    def maybe(self, name: str) -> Tensor | None:
        """The tensor of a parameter that may be left out."""
        return self[name] if name in self.bound else None

    def many(self, name: str) -> list[Tensor]:
        """The tensors of a parameter that may have any number of them."""
        return list(self.bound[name])

    def ints(self, name: str, default: list[int] | None = None) -> list[int]:
        """A list of integers."""
        if name not in self.bound and default is not None:
            return default
        return [int(v) for v in self[name].reshape(-1).tolist()]

    def integer(self, name: str, default: int | None = None) -> int:
        """One integer."""
        return self.ints(name, None if default is None else [default])[0]

    def number(self, name: str, default: float | None = None) -> float:
        """One number."""
        if name not in self.bound and default is not None:
            return default
        return float(self[name].item())

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        return bool(self[name].item()) if name in self.bound else default

    def flags(self, name: str, count: int) -> list[bool]:
        """A list of booleans, all false by default."""
        return [bool(v) for v in self[name].tolist()] if name in self.bound else [False] * count

    def text(self, name: str, default: str) -> str:
        """A word."""
        if name not in self.bound:
            return default
        (value,) = self.bound[name]
        if not isinstance(value, str):
            raise ValueError(f"{name} is not text")
        return value
