"""The versions of the documents that Pocketlens writes, from the history that stands beside each one's ``SCHEMA``."""

from docs.generators.jsonschema import table
from pocketlens.bench import document
from pocketlens.bundle import manifest


def versions() -> str:
    """A heading and a table for each document."""
    parts = (
        ("Manifest", "manifest.md", manifest.HISTORY, manifest.SCHEMA),
        ("Measurement document", "measurement.md", document.HISTORY, document.SCHEMA),
    )
    return "\n".join(
        f"## {title}\n\nPocketlens writes version {current}. All fields: [{title.lower()}]({page}).\n\n"
        + table(("version", "what it added"), list(history.items()))
        for title, page, history, current in parts
    )
