"""``predict``: the time of a model on Snapdragon phones that are not at hand."""

from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from pocketlens.bundle.read import Bundle, is_bundle, open_bundle
from pocketlens.converters.onnx_file import read_onnx
from pocketlens.errors import InputError, require
from pocketlens.models.source import RangeOverrides, resolve
from pocketlens.phones.graph_layers import graph_layers
from pocketlens.phones.layers import total
from pocketlens.phones.measurements import ARITHMETICS, Setting, phone_named, phones
from pocketlens.phones.model import Prediction, settings
from pocketlens.phones.model import predict as predict_costs
from pocketlens.pipeline.export import export_graphs

PRECISIONS = ("fp16", "int8")
"""What is predicted where nothing else is asked for."""
RUNTIMES = {"litert": "tflite", "onnxruntime": "onnx", "qnn": "qnn_dlc"}
"""A runtime here → what the measurements call it."""
_PLAIN = ("onnx-fp16", "onnx-fp32")
"""Artifacts whose layers are the network's own, the better first: fp32 may hold Winograd's form."""


@dataclass(frozen=True)
class PhonePredictions:
    """What phones would need for a model.

    Attributes:
        name: Of the model.
        size: Height and width of the picture, in pixels.
        gmacs: 10⁹ multiply-adds of one picture.
        layers: How many layers there are.
        predictions: For each phone and precision that can be predicted, the phones in alphabetical order.
        budget_ms: The budget that was given, in milliseconds; None without one.
    """

    name: str
    size: tuple[int, int]
    gmacs: float
    layers: int
    predictions: tuple[Prediction, ...]
    budget_ms: float | None = None

    def verdict(self, prediction: Prediction) -> str:
        """``holds`` or ``fails`` where the whole interval does, else ``open``; empty without a budget."""
        if self.budget_ms is None:
            return ""
        if prediction.high <= self.budget_ms:
            return "holds"
        return "fails" if prediction.low > self.budget_ms else "open"


def predict(
    model: str,
    *,
    phone: tuple[str, ...] = (),
    precisions: tuple[str, ...] = PRECISIONS,
    runtime: str = "litert",
    architecture: str = "",
    size: tuple[int, int] = (256, 256),
    ranges: RangeOverrides = (None, None),
    fps: float | None = None,
) -> PhonePredictions:
    """Predict a model's time on the neural processors of phones.

    Args:
        model: A checkpoint or ``.onnx`` file, ``hf:FOLDER``, ``builtin:NAME``, ``module:factory``, or a bundle with an
            ONNX artifact in fp16 or fp32, which is then taken at its own size.
        phone: Names or parts of names; all that were measured if left out.
        precisions: Of the artifact: those of :data:`pocketlens.phones.measurements.ARITHMETICS`.
        runtime: ``litert``, ``onnxruntime`` or ``qnn``.
        architecture: The generator's architecture, for checkpoints.
        size: Height and width in pixels.
        ranges: The values that the model takes and gives for black and white, where they are not its own.
        fps: A budget, in pictures a second.

    Returns:
        Predictions with intervals and errors. They are no measurements.

    Raises:
        InputError: The model cannot be read, or nothing is known of such a phone, precision or runtime.
        MissingError: scipy is not installed.
    """
    require("scipy", "build")
    wanted = _settings(phone, precisions, runtime)
    path = Path(model)
    if is_bundle(path):
        with open_bundle(path) as bundle:
            name, (graph, size) = bundle.manifest.filter.name, _plain_graph(bundle)
    else:
        source = resolve(model, base=Path.cwd(), architecture=architecture, ranges=ranges, size=size)
        name, graph = source.name, next(export_graphs(source, *size))
    costs = total(graph_layers(graph))
    predictions = tuple(predict_costs(costs, setting) for setting in wanted)
    return PhonePredictions(name, size, costs.all_gmacs, costs.layers, predictions, None if fps is None else 1000 / fps)


def _settings(phone: tuple[str, ...], precisions: tuple[str, ...], runtime: str) -> list[Setting]:
    if runtime not in RUNTIMES:
        raise InputError(f"no phone was measured with {runtime!r}", do=f"choose from {', '.join(RUNTIMES)}")
    arithmetics = []
    for precision in precisions:
        if precision not in ARITHMETICS:
            raise InputError(
                f"no phone was measured in anything like {precision!r}", do=f"choose from {', '.join(ARITHMETICS)}"
            )
        arithmetics.append(ARITHMETICS[precision])
    names = [phone_named(name) for name in phone] or list(phones())
    wanted = [
        Setting(name, arithmetic, RUNTIMES[runtime]) for name in names for arithmetic in dict.fromkeys(arithmetics)
    ]
    known = set(settings())
    # A phone that was asked for by name says why it cannot be predicted; of all phones those that can are shown.
    return wanted if phone else [setting for setting in wanted if setting in known]


def _plain_graph(bundle: Bundle) -> tuple[ir.Model, tuple[int, int]]:
    from onnx_ir.passes.common import ShapeInferencePass

    for start in _PLAIN:
        for artifact in bundle.manifest.artifacts:
            if artifact.id.startswith(start):
                graph = read_onnx(bundle.path_of(artifact))
                ShapeInferencePass()(graph)
                return graph, (artifact.height, artifact.width)
    raise InputError(
        f"the bundle {bundle.manifest.filter.name} holds no ONNX artifact in fp16 or fp32, whose layers could be read",
        do="give the model that it was built from",
    )
