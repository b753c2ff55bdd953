"""The keys of a recipe, from its models: the tables of ``docs/recipe.md``."""

import json
from typing import Any

from docs.generators.jsonschema import described, kind, prose, reference_table
from pocketlens.placement import ACCELERATORS
from pocketlens.recipe import Recipe
from pocketlens.targets import TARGETS

_INSIDE = {"Rule": "one of `[quantize] rules`"}
"""Models that are no table of their own in the file, and where they stand."""


def sections() -> list[tuple[str, dict[str, Any]]]:
    """The recipe's tables in the order of the file: name, and their JSON Schema."""
    schema = Recipe.model_json_schema()
    definitions = schema["$defs"]
    return [(name, definitions[_name_of(part)]) for name, part in schema["properties"].items()]


def _name_of(part: dict[str, Any]) -> str:
    found = part.get("$ref") or next(inner["$ref"] for inner in part["anyOf"] if "$ref" in inner)
    return str(found).rpartition("/")[2]


def keys() -> str:
    """A heading and a table for each section of a recipe."""
    definitions = Recipe.model_json_schema()["$defs"]
    shown = [(f"`[{name}]`", section) for name, section in sections()]
    shown += [(title, definitions[name]) for name, title in _INSIDE.items()]
    return "\n".join(_section(title, section, definitions) for title, section in shown)


def _section(title: str, section: dict[str, Any], definitions: dict[str, Any]) -> str:
    summary, texts = described(section.get("description", ""))
    required = section.get("required", [])
    texts = {
        **{target.name: f"The precisions of {target.title} artifacts." for target in TARGETS.values()},
        **{accelerator.key: f"Whether {accelerator.title} is asked." for accelerator in ACCELERATORS.values()},
        **texts,
    }
    rows = [
        (f"`{name}`", prose(texts.get(name, "")), kind(_optional(part), definitions), _default(name, part, required))
        for name, part in section["properties"].items()
    ]
    anchor = " {#rule}" if title == _INSIDE["Rule"] else ""
    return f"### {title}{anchor}\n\n{summary}\n\n{reference_table(('key', 'meaning', 'value', 'if left out'), rows)}"


def _optional(part: dict[str, Any]) -> dict[str, Any]:
    """A key that may be left out is written without null: TOML has none."""
    parts = [inner for inner in part.get("anyOf", ()) if inner.get("type") != "null"]
    return part if not parts else (parts[0] if len(parts) == 1 else {"anyOf": parts})


def _default(name: str, part: dict[str, Any], required: list[str]) -> str:
    if name in required:
        return "**needed**"
    value = part.get("default")
    return "" if value in (None, "", [], ()) else f"`{json.dumps(value)}`"
