"""``pocketlens zoo``."""

from typing import TYPE_CHECKING

from pocketlens.cli import command, options, output

if TYPE_CHECKING:
    from pocketlens.models.costs import ZooEntry


@command("zoo", "zoo --json")
def zoo(json: options.Json = False) -> None:
    """List the architectures whose checkpoints load, with what they cost, and the filters that ship."""
    from pocketlens.models.costs import SIZE, zoo_entries
    from pocketlens.models.zoo import BUILTINS

    architectures = zoo_entries()
    if json:
        output.document({"architectures": architectures, "builtins": list(BUILTINS.values())})
        return
    height, width = SIZE
    columns = ["architecture", "variant", "GMACs", "parameters", "values in", "multiple of", "licence"]
    output.table(
        columns,
        [_row(architecture) for architecture in architectures],
        title=f"GMACs for one picture of {height}x{width}",
    )
    shown: set[str] = set()
    for architecture in architectures:
        name = architecture.name
        if name not in shown:
            shown.add(name)
            output.say(
                f"\n{name}: {architecture.description}\n  source: {architecture.source}\n  paper: {architecture.paper}"
            )
    output.say("\nFilters that ship:")
    for filter_ in BUILTINS.values():
        output.say(f"  builtin:{filter_.name}, {filter_.architecture}, {filter_.license}: {filter_.description}")
    output.say(
        "\nHeight and width must be multiples as listed.\n"
        "The licence is the one of the code: its author says under which licence a checkpoint is."
    )


def _row(architecture: "ZooEntry") -> list[str]:
    low, high = architecture.input_range
    return [
        architecture.name,
        architecture.variant or "-",
        f"{architecture.costs.macs / 1e9:.2f}",
        f"{architecture.costs.parameters:,}",
        f"{low:g}..{high:g}",
        str(architecture.costs.multiple),
        architecture.license,
    ]
