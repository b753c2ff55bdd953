"""The JSON documents that Pocketlens writes, from their dataclasses: ``manifest.md`` and ``measurement.md``."""

import json
from typing import Any

from pydantic import TypeAdapter

from docs.generators.jsonschema import described, kind, prose, reference_table
from pocketlens.bench.document import Document
from pocketlens.bundle.schema import schema as manifest_schema

_MANIFEST = """\
# Manifest

`manifest.json` says what a [bundle](bundle.md) holds. This page is made from the JSON Schema that stands in the
package, `pocketlens/bundle/manifest.schema.json`. The newest version is {version}; [schema versions](schemas.md) says
what each one added. A reader ignores keys that it does not know, and refuses a newer major version.

"""
_MEASUREMENT = """\
# Measurement document

`pocketlens bench -o FILE.json` writes this document, and a bundle keeps one in `measurements/`. It holds every raw
sample with the environment that it was measured in; percentiles are computed when it is read. Times are wall-clock
milliseconds. Memory and sizes are megabytes of 10⁶ bytes. The newest version is {version}; [schema
versions](schemas.md) says what each one added.

"""


def pages() -> dict[str, str]:
    """Path in the site to Markdown."""
    manifest = manifest_schema()
    measurement = TypeAdapter(Document).json_schema()
    return {
        "manifest.md": _MANIFEST.format(version=version_of_manifest()) + _tables("Manifest", manifest),
        "measurement.md": _MEASUREMENT.format(version=version_of_measurement()) + _tables("Document", measurement),
    }


def version_of_manifest() -> str:
    """The newest version that this source writes."""
    from pocketlens.bundle import manifest

    return manifest.SCHEMA


def version_of_measurement() -> str:
    """The newest version that this source writes."""
    from pocketlens.bench import document

    return document.SCHEMA


def _tables(title: str, schema: dict[str, Any]) -> str:
    definitions = schema["$defs"]
    order = _in_order(schema, definitions)
    return "\n".join(
        [_table(title, schema, definitions), *(_table(name, definitions[name], definitions) for name in order)]
    )


def _in_order(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """The names of definitions as a reader meets them: from the top, breadth first."""
    found: list[str] = []
    waiting = [schema]
    while waiting:
        text = json.dumps(waiting.pop(0))
        for name in sorted(definitions, key=lambda name: text.find(f'"#/$defs/{name}"')):
            if f'"#/$defs/{name}"' in text and name not in found:
                found.append(name)
                waiting.append(definitions[name])
    return found


def _table(title: str, part: dict[str, Any], definitions: dict[str, Any]) -> str:
    summary, texts = described(part.get("description", ""))
    rows = []
    for name, field in part.get("properties", {}).items():
        text = prose(field.get("description") or texts.get(name, ""))
        default = "" if name in part.get("required", []) else _default(field)
        rows.append((f"`{name}`", text, kind(field, definitions), default))
    return f"## {title}\n\n{summary}\n\n{reference_table(('field', 'meaning', 'value', 'if left out'), rows)}"


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return "" if value in ("", [], {}) or "default" not in field else f"`{json.dumps(value)}`"
