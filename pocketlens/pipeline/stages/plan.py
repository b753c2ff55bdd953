"""The quantization plan that an artifact begins with: what the precision says, what the target wants, the recipe's
rules.
"""

from dataclasses import replace

from pocketlens.converters import graph as hub
from pocketlens.converters.quantization import plan as plans
from pocketlens.converters.quantization.plan import Plan, PlanRule
from pocketlens.errors import RecipeError
from pocketlens.pipeline.stages.rewrite import TargetGraph
from pocketlens.precisions import PRECISIONS
from pocketlens.recipe import Quantize
from pocketlens.targets import ArtifactSpec

SETTINGS = ("ranges", "equalize", "correct_bias")
"""What a recipe may leave open, so that it is measured (:mod:`pocketlens.pipeline.stages.quantization_settings`)."""


def plan_of_recipe(quantize: Quantize, spec: ArtifactSpec) -> Plan:
    """The recipe's rules behind the rule that the precision stands for.

    Rules of other targets are left out, and so are settings of another kind: ``int8-a16`` says nothing of ``w8``.

    Raises:
        RecipeError: A rule asks for a setting that the target does not have.

    Example:
        >>> from pocketlens import recipe
        >>> quantize = Quantize(rules=(recipe.Rule(match="^last", setting="float"),))
        >>> plan_of_recipe(quantize, ArtifactSpec("onnx", "int8", (64, 64))).rules[-1]
        PlanRule(match='^last', setting='float', operator='')
    """
    rules, precisions = [], spec.format.precision_names
    for rule in quantize.rules:
        if rule.targets and spec.target not in rule.targets:
            continue
        if rule.setting != "float":
            if PRECISIONS[rule.setting].quantizes != spec.arithmetic.quantizes:
                continue
            if rule.setting not in precisions:
                raise RecipeError(
                    f"quantize.rules: {spec.target} has no {rule.setting}, which the rule {rule.match!r} asks for",
                    do=f"choose from float, {', '.join(precisions)}, or name the rule's targets",
                )
        rules.append(PlanRule(rule.match, rule.setting, rule.operator))
    plan = plans.default_plan(spec.precision)
    settings = {name: getattr(quantize, name) for name in SETTINGS}
    chosen = {name: value for name, value in settings.items() if value is not None}
    return replace(plan, rules=(*plan.rules, *rules), **chosen)


def first_plan(quantize: Quantize, spec: ArtifactSpec, graph: TargetGraph) -> Plan:
    """The same, and what the target computes slower in integers stays float, unless the recipe's rules say otherwise.

    Raises:
        RecipeError: A rule asks for a setting that the target does not have.
    """
    plan = plan_of_recipe(quantize, spec)
    first, *rules = plan.rules
    return replace(
        plan,
        rules=(
            first,
            *plans.rules_for_few_inputs(hub.load(graph.path), spec.format.min_int8_input_channels, spec.precision),
            *rules,
        ),
    )
