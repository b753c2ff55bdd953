"""The stage between the rewritten graph and emitters of low-bit precisions: the plan to begin with, and what writes
plans.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pocketlens.converters import graph as hub
from pocketlens.converters.quantization import plan as plans
from pocketlens.converters.quantization.plan import Plan
from pocketlens.errors import InputError, RecipeError
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.plan import first_plan, plan_of_recipe
from pocketlens.pipeline.stages.quantization_settings import measure_settings
from pocketlens.pipeline.stages.quantizer import GraphQuantizer
from pocketlens.pipeline.stages.rewrite import TargetGraph
from pocketlens.pipeline.stages.trained_quantizers import insert_trained_quantizers
from pocketlens.recipe import Quantize
from pocketlens.targets import ArtifactSpec


def graph_quantizer(
    evaluation: Evaluation,
    graph: Path,
    target_graph: TargetGraph,
    spec: ArtifactSpec,
    quantize: Quantize,
    *,
    plan: Plan | None = None,
    rewrites: Sequence[str] = (),
    settings_measured: bool = True,
) -> GraphQuantizer:
    """What makes the quantized graphs of an artifact, its rules checked and its settings measured.

    A generator that was trained through the rounding of ``int8`` keeps the ranges that it learnt, unless rules are
    written, or the target rounds every value: then most of the ranges were not learnt.

    Args:
        evaluation: Whose calibration pictures are looked at.
        graph: Before rewrites.
        target_graph: After them.
        spec: The artifact.
        quantize: The recipe's rules and settings.
        plan: That of another size, which is taken as it is.
        rewrites: The target's, for the float baseline.
        settings_measured: Whether settings that the recipe leaves open are measured, or as usual.

    Raises:
        RecipeError: A rule fits nothing or asks for what the target does not have.
        InputError: The graph is not what was trained, or a value cannot be calibrated.
    """
    trained = None
    if spec.precision == "int8" and not quantize.rules and not spec.format.quantizers.everywhere:
        trained = insert_trained_quantizers(evaluation.source, graph, spec.target)
    if trained is not None:  # nothing is left to plan in a graph that came with its quantizers
        plan = plan or plan_of_recipe(quantize, spec)
        graph, target_graph, settings_measured = trained, TargetGraph(trained), False
    elif plan is not None:
        settings_measured = False
    quantizer = GraphQuantizer(
        spec, graph, target_graph, plan or first_plan(quantize, spec, target_graph),
        evaluation.eval_set.calibration_set(), rewrites=tuple(rewrites),
    )  # fmt: skip
    _check_rules(quantizer)
    if not settings_measured:
        return quantizer
    plan, trials = measure_settings(quantizer, quantize)
    return replace(quantizer, plan=plan, trials=trials)


def _check_rules(quantizer: GraphQuantizer) -> None:
    if len(quantizer.plan.rules) == 1:
        return
    try:
        plans.check_rules(hub.load(quantizer.target_graph.path), quantizer.plan.rules)
    except InputError as error:
        raise RecipeError(f"{quantizer.spec.target}: {error.what}", do=error.do) from error
