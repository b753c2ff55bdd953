"""``pocketlens quantize``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output
from pocketlens.errors import InputError

if TYPE_CHECKING:
    from pocketlens.pipeline.search.pareto import ParetoFront
    from pocketlens.recipe import Rule


@command(
    "quantize builtin:cartoon -t openvino -t tflite -o out",
    "quantize wave.npz -a fast-style -p w8 --psnr 38 -o out",
)
def quantize(
    model: options.Model,
    target: options.Targets = None,
    precision: options.Precision = "int8",
    out: Annotated[Path | None, options.out("Write the plot, and the artifacts that ship, to this folder.")] = None,
    psnr: Annotated[
        float, typer.Option(metavar="DB", min=1.0, help="Gate: dB that the worst picture must reach.")
    ] = 38.0,
    ssim: Annotated[
        float, typer.Option(metavar="S", min=0.01, max=1.0, help="Gate: SSIM that the worst picture must reach.")
    ] = 0.97,
    flicker: Annotated[
        float | None, typer.Option(metavar="F", min=0.01, help="Gate: flicker of a clip, at most, of 255.")
    ] = None,
    keep_float: Annotated[
        list[str] | None,
        typer.Option(metavar="REGEX", help="Layers that stay in float in any case. Several: repeat it."),
    ] = None,
    points: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="Artifacts to build and judge for each target.")
    ] = 6,
    *,
    taken: options.Taken,
    license: options.License = "unknown",
    judge: options.Judge = None,
    calibrate: options.Calibrate = None,
    rewrites: options.Rewrites = "safe",
    chip: options.Chips = None,
    bench: options.Bench = True,
    threads: options.Threads = 2,
    json: options.Json = False,
) -> None:
    """Find the layers that must stay in float: the cheapest plan that passes the gate, on each target.

    A fast pass ranks the layers on the calibration pictures; then real artifacts are built, judged and timed in turns.
    With --no-bench, the size of an artifact counts as its cost. --rewrites auto means safe here. Exit code 1 if a
    target has no plan that passes.
    """
    from pocketlens.pipeline.commands.quantize import quantize as quantize_model
    from pocketlens.pipeline.rewrite_selection import parse
    from pocketlens.pipeline.search.pareto_page import costliest
    from pocketlens.pipeline.search.rewrite_search import Timing
    from pocketlens.recipe import Gate, Quantize

    rules = tuple(map(_float_rule, keep_float or ()))
    with output.progress() as notify:
        quantized = quantize_model(
            model,
            options.several(target),
            out,
            precision=precision,
            chips=options.several(chip),
            gate=Gate(psnr=psnr, ssim=ssim, flicker=flicker),
            rules=Quantize(rules=rules),
            points=points,
            architecture=taken.architecture,
            size=taken.height_width,
            ranges=taken.ranges,
            signature=taken.signature,
            license=license,
            judge=judge,
            calibrate=calibrate,
            rewrites=parse(rewrites),
            timing=Timing(threads=threads) if bench else None,
            notify=notify,
        )
    if json:
        fronts = [
            {**vars(front), "text": front.text, "non_dominated": front.non_dominated} for front in quantized.fronts
        ]
        paths = [artifact.path for artifact in quantized.artifacts]
        failed = [artifact.document() for artifact in quantized.failed]
        output.document(
            {
                "fronts": fronts,
                "artifacts": paths,
                "plot": quantized.plot,
                "failed": failed,
                "warnings": quantized.warnings,
            }
        )
    else:
        output.warn(quantized.warnings)
        for front in quantized.fronts:
            table(front)
            if where := costliest(front):
                output.say(f"most of the error comes from {where}")
        for artifact in quantized.artifacts:
            if artifact.note:
                output.say(f"{artifact.spec.id}: {artifact.note}")
        output.failures((failed.spec.id, failed.reason, failed.do) for failed in quantized.failed)
        if quantized.plot is not None:
            names = [quantized.plot.name, *(artifact.path.name for artifact in quantized.artifacts)]
            output.say(f"in {out}: {', '.join(names)}")
    if not quantized.passes:
        raise typer.Exit(1)


def table(front: "ParetoFront") -> None:
    """The table of a front, and what it says."""
    from pocketlens.converters.quantization.settings import settings_sentence
    from pocketlens.pipeline.search.pareto_page import COLUMNS, rows

    output.table(COLUMNS, rows(front), title=f"{front.id}: {front.limits}")
    for rule in front.ships.plan.rules if front.ships else ():
        output.say(f"  {rule.setting:9} {rule.match or 'every layer'} {rule.operator}".rstrip())
    output.say(front.text)
    if tried := settings_sentence(front.settings):
        output.say(f"on the calibration pictures: {tried}")
    if front.disturbed:
        output.say(f"note: {front.disturbed}; this is not kept in the cache")


def _float_rule(pattern: str) -> "Rule":
    from pydantic import ValidationError

    from pocketlens.recipe import Rule

    try:
        return Rule(match=pattern, setting="float")
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        do = "give a layer's name, or a part of it"
        raise InputError(f"--keep-float {pattern[:60]!r}: {reason}", do=do) from error
