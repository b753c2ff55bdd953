"""``pocketlens explain``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output

if TYPE_CHECKING:
    from pocketlens.pipeline.commands.explain import Cost, Explanation, Side

_NAME = 30
"""The longest name that a row has room for."""


@command("explain builtin:cartoon", "explain wave.npz -a fast-style -t onnx -t tflite --profile")
def explain(
    model: options.Model,
    target: Annotated[list[str] | None, options.targets("tflite")] = None,
    *,
    taken: options.Taken,
    rewrites: options.Rewrites = "safe",
    profile: Annotated[bool, typer.Option("--profile", help="Also measure the layers on this machine.")] = False,
    threads: options.Threads = 2,
    gmacs: Annotated[
        float, typer.Option(metavar="N", min=0.001, help="Estimates: 10^9 multiply-adds a second of the device.")
    ] = 20.0,
    gbytes: Annotated[
        float, typer.Option(metavar="N", min=0.001, help="Estimates: 10^9 bytes a second of its memory.")
    ] = 10.0,
    json: options.Json = False,
) -> None:
    """Show a model's graph before and after the rewrites of each target, and its costliest layers.

    The time of a layer is estimated for a device of --gmacs and --gbytes; --profile measures it here too.
    """
    from pocketlens.converters.roofline import Machine
    from pocketlens.pipeline.commands.explain import explain as explain_model
    from pocketlens.pipeline.rewrite_selection import parse

    explanation = explain_model(
        model,
        architecture=taken.architecture,
        size=taken.height_width,
        ranges=taken.ranges,
        signature=taken.signature,
        targets=options.several(target) or ("tflite",),
        rewrites=parse(rewrites),
        machine=Machine(gmacs, gbytes),
        measure=profile,
        threads=threads,
    )
    if json:
        output.document(explanation)
        return
    show(explanation)
    for cost in explanation.costs if profile else ():
        if not cost.measured:
            output.say(f"{cost.target}: no runtime that plays it here tells the time of a layer")


def show(explanation: "Explanation") -> None:
    """Print an explanation as tables of at most 80 columns."""
    height, width = explanation.size
    output.say(f"{explanation.name} at {height}x{width}: the graph before and after the rewrites of each target")
    output.table(["", *(side.name for side in explanation.sides)], _sides(explanation.sides))
    for side in explanation.sides:
        if side.rewrites:
            output.say(f"{side.name}: {', '.join(side.rewrites)}")
    machine = explanation.machine
    output.say(
        "estimated: the longer of multiply-adds / --gmacs and bytes / --gbytes,\n"
        f"here {machine.gmacs:g} and {machine.gbytes:g}, both 10^9 a second; each layer alone"
    )
    for cost in explanation.costs:
        _cost(cost)


def _sides(sides: "Sequence[Side]") -> list[list[str]]:
    rows = [
        ["nodes", *(str(side.nodes) for side in sides)],
        ["GMACs", *("-" if side.macs is None else f"{side.macs / 1e9:.2f}" for side in sides)],
        ["M parameters", *(f"{side.parameters / 1e6:.3f}" for side in sides)],
        ["estimated ms", *("-" if side.estimated_ms is None else f"{side.estimated_ms:.1f}" for side in sides)],
    ]
    names = sorted({name for side in sides for name in side.operators})
    names.sort(key=lambda name: -max(side.operators.get(name, 0) for side in sides))
    return rows + [[name, *(str(side.operators.get(name, "-")) for side in sides)] for name in names]


def _cost(cost: "Cost") -> None:
    alone = {step.name: step.ms for step in cost.steps} if cost.measured.startswith("litert") else {}
    total = sum(layer.ms for layer in cost.layers)
    rows = []
    for layer in cost.layers:
        row = [
            shortened(layer.name, 26),
            layer.operator,
            "x".join(map(str, layer.kernel)) or "-",
            "x".join(map(str, layer.shape[1:])),
            f"{layer.macs / 1e6:.0f}",
            f"{layer.bytes / 1e6:.1f}",
            f"{layer.ms:.2f}",
        ]
        rows.append([*row, f"{alone[layer.name]:.2f}" if layer.name in alone else "-"] if alone else row)
    columns = ["layer", "operator", "kernel", "gives", "MMACs", "MB", "est. ms"]
    output.say("")
    output.table([*columns, "alone ms"] if alone else columns, rows, f"{cost.target}: the {len(rows)} costliest layers")
    output.say(f"together {total:.1f} ms estimated" + (f", {cost.measured_ms:.1f} ms measured alone" if alone else ""))
    if cost.steps and not alone:
        _steps(cost)


def _steps(cost: "Cost") -> None:
    total, rows = cost.measured_ms, []
    for step in cost.steps[:10]:
        share = f"{100 * step.ms / total:.0f} %"
        rows.append([shortened(step.name, 40), step.operator[:28], f"{step.ms:.2f}", share])
    output.say("")
    output.table(["layer", "executed as", "ms", "share"], rows, f"{cost.target}: measured in {cost.measured}")
    output.say(f"all {len(cost.steps)} layers: {total:.1f} ms; profiling itself slows them down")


def shortened(name: str, most: int = _NAME) -> str:
    """A name that fits: its end, which tells more, with dots before it.

    Example:
        >>> shortened("/blocks.0/first/conv/Conv", 12)
        '…t/conv/Conv'
    """
    return name if len(name) <= most else f"…{name[1 - most :]}"
