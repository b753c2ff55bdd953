"""``pocketlens predict``."""

from typing import TYPE_CHECKING, Annotated

import typer

from pocketlens.cli import command, options, output

if TYPE_CHECKING:
    from pocketlens.pipeline.commands.predict import PhonePredictions


@command(
    'predict builtin:cartoon --phone "Galaxy S24"',
    'predict wave.npz -a fast-style --size 384x384 --phone "Galaxy S22" --fps 30',
    "predict wave.bundle -p fp16",
)
def predict(
    model: options.ModelOrBundle,
    phone: Annotated[
        list[str] | None,
        typer.Option("--phone", metavar="NAME", help="A phone, or a part of its name.", show_default="all"),
    ] = None,
    precision: Annotated[list[str] | None, options.precisions("fp16,int8")] = None,
    runtime: options.PhoneRuntime = "litert",
    fps: options.Fps = None,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Let predictions decide the budget: exit code 1 where one fails.")
    ] = False,
    architecture: options.Architecture = "",
    size: options.Size = "256x256",
    input_range: options.InputRange = None,
    output_range: options.OutputRange = None,
    json: options.Json = False,
) -> None:
    """Predict milliseconds on the neural processors of Snapdragon phones, with an interval and the method's error.

    Nothing is measured here. The prediction follows from published networks that were measured on the same phone, in
    litert, onnxruntime or qnn.
    """
    from pocketlens.pipeline.commands.predict import PRECISIONS
    from pocketlens.pipeline.commands.predict import predict as predict_model

    answer = predict_model(
        model,
        phone=tuple(phone or ()),
        precisions=options.several(precision) or PRECISIONS,
        runtime=runtime,
        architecture=architecture,
        size=options.parse_size(size),
        ranges=(input_range, output_range),
        fps=fps,
    )
    verdicts = [answer.verdict(prediction) for prediction in answer.predictions]
    if json:
        output.document({"predicted": answer, "verdicts": verdicts})
    else:
        _show(answer, verdicts, predicted)
    if predicted and any(verdict in ("fails", "open") for verdict in verdicts):
        raise typer.Exit(1)


def _show(answer: "PhonePredictions", verdicts: list[str], predicted: bool) -> None:
    from pocketlens.phones.measurements import SOURCE

    height, width = answer.size
    output.say(f"{answer.name} at {height}x{width}: {answer.gmacs:.2f} GMACs, {answer.layers} layers")
    rows = [
        [
            guess.phone,
            guess.arithmetic,
            f"{guess.ms:.2f}",
            f"{guess.low:.2f} to {guess.high:.2f}",
            f"{100 * guess.median_error:.0f} %",
            verdict or "-",
        ]
        for guess, verdict in zip(answer.predictions, verdicts, strict=True)
    ]
    output.table(["phone", "computes in", "ms", "80 % lie within", "error", "budget"], rows, "predicted, not measured")
    output.say(f"error: the median over published networks, each predicted from the others\nmeasurements: {SOURCE}")
    if answer.budget_ms is not None and not predicted:
        output.say("open: the interval spans the budget; predictions decide a budget with --predicted")
