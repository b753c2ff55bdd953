"""The stage between the rewritten graph and emitters of ``int8``: the graph with its plan written into it."""

from collections.abc import Sequence
from pathlib import Path

from pocketlens.converters.quantization.plan import Plan, check_rules, default
from pocketlens.errors import InputError
from pocketlens.files import cached, key_of, sha256
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
