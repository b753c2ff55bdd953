"""``pocketlens inspect``."""

from pathlib import Path
from typing import Annotated

import typer

from pocketlens.cli import command, options, output
from pocketlens.errors import InputError


@command(
    "inspect builtin:cartoon",
    "inspect wave.npz -a fast-style",
    "inspect wave.bundle",
    "inspect wave.bundle --accelerators",
)
def inspect(
    model: options.ModelOrBundle,
    *,
    taken: options.Taken,
    rewrites: options.Rewrites = "safe",
    graph: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the graph to this .onnx file.")] = None,
    accelerators: Annotated[
        bool,
        typer.Option(
            "--accelerators", help="Of a bundle or one artifact: ask every accelerator that can be asked here."
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Show what a model or bundle is and, target by target, whether it can be converted and why not."""
    from pocketlens.bundle.read import is_bundle

    path = Path(model)
    if accelerators:
        _accelerators(path, json)
        return
    if is_bundle(path):
        _bundle(path, json)
        return
    if graph is not None and path.exists() and graph.exists() and graph.samefile(path):
        raise InputError(f"the graph would replace the model {path}", do="choose another name")
    from pocketlens.pipeline.commands.inspect import inspect as inspect_model
    from pocketlens.pipeline.rewrite_selection import parse

    inspection = inspect_model(
        model,
        architecture=taken.architecture,
        size=taken.height_width,
        ranges=taken.ranges,
        signature=taken.signature,
        rewrites=parse(rewrites),
        save=graph,
    )
    if json:
        output.document(inspection)
        return
    height, width = inspection.size
    figures = f"{inspection.macs / 1e9:.2f} GMACs, {inspection.parameters:,} parameters"
    output.say(f"{inspection.name} at {height}x{width}: {figures}, {sum(inspection.operators.values())} nodes")
    output.say("  ".join(f"{name} {count}" for name, count in inspection.operators.items()))
    rows = [[target, "no" if why else "yes", "\n".join(why)] for target, why in inspection.refusals.items()]
    output.table(["target", "supported", "why not"], rows)


def _accelerators(path: Path, json: bool) -> None:
    from pocketlens.bundle.read import is_bundle
    from pocketlens.pipeline.commands.place import place_bundle, place_file

    placements = place_bundle(path) if is_bundle(path) else place_file(path)
    if json:
        output.document({"placements": placements})
    else:
        output.placements(placements)


def _bundle(path: Path, json: bool) -> None:
    from pocketlens import open_bundle

    with open_bundle(path) as bundle:
        manifest = bundle.manifest
    if json:
        output.document(manifest)
        return
    output.say(f"{manifest.filter.name} {manifest.filter.version}, {manifest.filter.license}: gates {manifest.verdict}")
    rows = [
        [
            artifact.id,
            output.megabytes(artifact.bytes),
            f"{artifact.scores.psnr:.1f}",
            f"{artifact.scores.ssim:.4f}",
            ", ".join(artifact.runtimes),
        ]
        for artifact in manifest.artifacts
    ]
    output.table(["artifact", "MB", "PSNR dB", "SSIM", "played by"], rows)
    output.placements({artifact.id: artifact.placements for artifact in manifest.artifacts})
