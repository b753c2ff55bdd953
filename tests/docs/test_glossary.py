"""The glossary: every word once, in one sentence, and the name in the code exists."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

GLOSSARY = Path(__file__).parents[2] / "docs/glossary.md"
ROWS = re.findall(r"^\| ([^|-][^|]*) \| ([^|]+) \| ([^|]*)\|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)[1:]
WORDS = [word for word, _, _ in ROWS]


def test_every_word_stands_once_in_the_order_of_the_alphabet() -> None:
    assert len(WORDS) > 40
    assert len(set(WORDS)) == len(WORDS)
    assert sorted(WORDS, key=str.lower) == WORDS


@pytest.mark.parametrize("word", [
    "generator", "teacher", "student", "graph", "rewrite", "precision", "target", "accelerator", "artifact", "runtime",
    "session", "device", "recipe", "bundle", "budget", "gate", "verdict", "quantization", "Pareto front",
    "verification",
])  # fmt: skip
def test_the_words_of_the_house_are_there(word: str) -> None:
    assert word in WORDS


@pytest.mark.parametrize(("word", "meaning"), [(word, meaning) for word, meaning, _ in ROWS])
def test_a_meaning_is_one_sentence(word: str, meaning: str) -> None:
    assert meaning.strip().endswith("."), word
    assert not re.search(r"\.\s+[A-Z]", meaning), word


@pytest.mark.parametrize(("word", "name"), [(word, place.strip(" `")) for word, _, place in ROWS if place.strip()])
def test_a_name_in_the_code_exists(word: str, name: str) -> None:
    found(name)


def found(name: str) -> Any:
    """What a dotted name is: a module, or something in one."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(import_module(module), attribute)
