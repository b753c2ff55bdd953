"""The stage between the rewritten graph and emitters of ``int8``: the graph with its plan written into it."""

from collections.abc import Sequence
from pathlib import Path

from pocketlens.converters.quantization.plan import Plan, check_rules, default
from pocketlens.errors import InputError
from pocketlens.files import cached, key_of, sha256
from pocketlens.models.source import Source
from pocketlens.pipeline import stages
from pocketlens.pipeline.pictures import Judges
from pocketlens.pipeline.stages import Rewritten
from pocketlens.precisions import NAMES


def is_quantized(precision: str) -> bool:
    """Whether a precision computes in integers, so that its graph differs from that of the others."""
    return NAMES[precision].coding == "activations"


def quantized(
    graph: Path, rewritten: Rewritten, target: str, precision: str, plan: Plan | None, calibrate: Judges
) -> Rewritten:
    """The graph of a target with quantizers.

    Args:
        graph: Before rewrites.
        rewritten: After them; what they are called is taken from it.
        target: Whose form the graph gets.
        precision: ``int8`` or ``int8-a16``.
        plan: The recipe's; None for the default of the precision.
        calibrate: Pictures, none of which judges.

    Raises:
        InputError: A rule matches nothing, or a value cannot be calibrated.
    """

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.quantization.quantize import quantize
        from pocketlens.converters.rewrites import registry

        model = hub.load(graph)
        made = quantize(
            model, chosen, calibrate.pictures, target, lambda changed: registry.apply(changed, rewritten.rewrites)
        )
        if not any(node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") for node in made.graph):
            raise InputError(
                f"the plan keeps every convolution of {target}-{precision} in float", do="ask for fp32 or fp16"
            )
        hub.save(made, folder / "graph.onnx")

    chosen = plan_for(plan, precision)
    key = key_of(
        graph=sha256(graph), rewrites=list(rewritten.rewrites), target=target, plan=chosen.to_json(),
        calibrate=calibrate.digest(), code=stages.code(), tools=stages.toolchain(),
    )  # fmt: skip
    return Rewritten(cached("quantized", key, make) / "graph.onnx", rewritten.rewrites)


def trained(source: Source, graph: Path) -> Path | None:
    """The graph with the quantizers of quantization-aware training, or None where the source was not trained so.

    Raises:
        InputError: The graph does not hold the layers that were trained.
    """
    if source.kind != "checkpoint" or source.path is None:
        return None
    from pocketlens.models import made

    how = made.read(source.path)
    if how is None or not how.ranges:
        return None
    spans = how.ranges

    def make(folder: Path) -> None:
        from torch import nn

        from pocketlens.converters import graph as hub
        from pocketlens.converters.quantization.trained import Trained, quantize_trained

        module = source.load()
        known = {name: module.get_submodule(name) for name in spans if name in dict(module.named_modules())}
        layers = [
            Trained(name, layer.weight.detach().numpy(), isinstance(layer, nn.ConvTranspose2d), spans[name])
            for name, layer in known.items()
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        ]
        hub.save(quantize_trained(hub.load(graph), layers), folder / "graph.onnx")

    key = key_of(graph=sha256(graph), source=source.key, code=stages.code(), tools=stages.toolchain())
    return cached("aware", key, make) / "graph.onnx"


def plan_for(plan: Plan | None, precision: str) -> Plan:
    """The plan of a precision: the recipe's rules come behind the rule that the precision stands for."""
    start = default(precision)
    if plan is None:
        return start
    return Plan((*start.rules, *plan.rules), plan.ranges, plan.equalize, plan.correct_bias)


def check_plan(plan: Plan | None, graphs: Sequence[Path]) -> None:
    """Check a recipe's rules against the graphs.

    Raises:
        InputError: A rule matches no convolution.
    """
    from pocketlens.converters import graph as hub

    for path in graphs if plan is not None else ():
        assert plan is not None
        check_rules(hub.load(path), plan.rules)
