"""``pocketlens inspect``."""

from pathlib import Path
from typing import Annotated

import typer

from pocketlens.cli import app, output
from pocketlens.errors import InputError


@app.command(epilog="Example: pocketlens inspect wave.npz --architecture fast-style")
def inspect(
    model: Annotated[
        str, typer.Argument(help="A checkpoint, .onnx file, hf:FOLDER, builtin:NAME, module:factory or bundle.")
    ],
    architecture: Annotated[
        str, typer.Option("-a", "--architecture", help="For checkpoints of others: a name that zoo lists.")
    ] = "",
    size: Annotated[str, typer.Option(help="Height x width in pixels.")] = "256x256",
    input_range: output.InputRange = None,
    output_range: output.OutputRange = None,
    graph: Annotated[Path | None, typer.Option(help="Also write the graph to this .onnx file.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="The graph before and after rewrites, and its costliest layers.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="With measured times of layers; implies --explain.")
    ] = False,
    target: Annotated[
        list[str] | None, typer.Option("-t", "--target", help="To explain: onnx, openvino, tflite (default), coreml.")
    ] = None,
    rewrites: output.Rewrites = None,
    gmacs: Annotated[
        float, typer.Option(min=0.001, help="Estimates: 10^9 multiply-adds a second of the device.")
    ] = 20.0,
    gbytes: Annotated[float, typer.Option(min=0.001, help="Estimates: 10^9 bytes a second of its memory.")] = 10.0,
    threads: Annotated[int, typer.Option(min=1, max=output.MAX_THREADS, help="Threads to profile with.")] = 2,
    json: output.Json = False,
) -> None:
    """Show what a model or bundle is and, target by target, whether it can be converted and why not."""
    path = Path(model)
    if (path / "manifest.json").is_file() or path.suffix == ".zip":
        _bundle(path, json)
        return
    if graph is not None and path.exists() and graph.exists() and graph.samefile(path):
        raise InputError(f"the graph would replace the model {path}", do="choose another name")
    from pocketlens.pipeline.rewriting import parse

    if explain or profile:
        if graph is not None:
            raise InputError("--graph does not go with --explain", do="run inspect twice")
        from pocketlens.cli import explain as explained
        from pocketlens.converters.roofline import Machine
        from pocketlens.pipeline.explain import explain as work

        found_costs = work(
            model,
            architecture=architecture,
            size=output.parse_size(size),
            ranges=(input_range, output_range),
            targets=tuple(dict.fromkeys(target or ["tflite"])),
            rewrites=parse(rewrites or "safe"),
            machine=Machine(gmacs, gbytes),
            measure=profile,
            threads=threads,
        )
        explained.show(found_costs, json)
        return
    from pocketlens.pipeline.inspect import inspect as look

    found = look(
        model,
        architecture=architecture,
        size=output.parse_size(size),
        ranges=(input_range, output_range),
        rewrites=parse(rewrites or "safe"),
        save=graph,
    )
    if json:
        output.document(found)
        return
    height, width = found.size
    output.say(
        f"{found.name} at {height}x{width}: {found.macs / 1e9:.2f} GMACs, {found.parameters:,} parameters,"
        f" {sum(found.operators.values())} nodes"
    )
    output.say("  ".join(f"{name} {count}" for name, count in found.operators.items()))
    rows = [[t, "no" if why else "yes", "\n".join(why)] for t, why in found.refusals.items()]
    output.table(["target", "supported", "why not"], rows)


def _bundle(path: Path, json: bool) -> None:
    from pocketlens import open_bundle

    with open_bundle(path) as bundle:
        manifest = bundle.manifest
    if json:
        output.document(manifest)
        return
    output.say(f"{manifest.filter.name} {manifest.filter.version}, {manifest.filter.license}: gates {manifest.verdict}")
    rows = [
        [a.id, output.megabytes(a.bytes), f"{a.scores.psnr:.1f}", f"{a.scores.ssim:.4f}", ", ".join(a.runtimes)]
        for a in manifest.artifacts
    ]
    output.table(["artifact", "MB", "PSNR dB", "SSIM", "played by"], rows)
