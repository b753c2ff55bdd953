"""A JSON Schema, said in words: the tables of the reference."""

import re
from collections.abc import Mapping
from typing import Any

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8,}.+)*)", re.MULTILINE)


def described(text: str) -> tuple[str, dict[str, str]]:
    """A Google docstring taken apart: its text, and what its Attributes section says of each name."""
    summary, _, rest = text.partition("\nAttributes:\n")
    attributes = {name: " ".join(words.split()) for name, words in _ATTRIBUTE.findall(rest)}
    return prose(re.sub(r"\n\s*Example:.*", "", summary, flags=re.DOTALL)), attributes


def prose(text: str) -> str:
    """Docstring text as one Markdown paragraph: Sphinx's roles and double backticks become code."""
    text = re.sub(r":(?:class|func|meth|mod|data|attr):`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split()))


def cell(text: str) -> str:
    """Text that fits a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join("| " + " | ".join(cell(part) for part in line) + " |" for line in lines) + "\n"


def reference_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table whose second column says what the first one means; it stays readable on a phone (``assets/site.css``)."""
    return f'<div class="reference" markdown>\n\n{table(columns, rows)}\n</div>\n'


def kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a value may be, in words.

    Example:
        >>> kind({"type": "integer", "minimum": 1, "maximum": 64}, {})
        'whole number, 1 to 64'
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if name in definitions else name
    if "anyOf" in schema:
        parts = [kind(part, definitions) for part in schema["anyOf"]]
        return " or ".join(dict.fromkeys(parts))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" if value else "empty" for value in schema["enum"])
    match schema.get("type"):
        case "integer" | "number" as number:
            return ("whole number" if number == "integer" else "number") + _bounds(schema)
        case "string":
            return "text"
        case "boolean":
            return "`true` or `false`"
        case "null":
            return "`null`"
        case "array":
            return _array(schema, definitions)
        case "object":
            inner = schema.get("additionalProperties")
            return f"table of {kind(inner, definitions)}" if isinstance(inner, dict) else "table"
    return "any"


def _array(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    places = schema.get("prefixItems")
    if places and len(places) == 2 and places[0] == places[1]:
        return f"pair ({kind(places[0], definitions)})"
    if places:
        return "[" + ", ".join(kind(place, definitions) for place in places) + "]"
    inner = kind(schema.get("items", {}), definitions)
    return "list of " + re.sub(r"^pair ", "pairs ", inner)


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    parts = [
        f"at least {low:,}" if low is not None else "",
        f"above {above:,}" if above is not None else "",
        f"at most {high:,}" if high is not None else "",
        f"below {below:,}" if below is not None else "",
    ]
    found = ", ".join(part for part in parts if part)
    return f", {found}" if found else ""
