"""Published rules about accelerators that cannot be asked here: data, each with the page that it was read on.

A rule excludes operators. What no rule excludes may still run elsewhere: a placement by rule says so by its name.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pocketlens.accelerators import Answer
from pocketlens.placement import Placement


@dataclass(frozen=True)
class Rule:
    """Operators that an accelerator is said not to compute.

    Attributes:
        source: The page that says so.
        reason: In words.
        operators: As the artifact's format names them; a trait in brackets narrows one: ``conv (dilated)``.
    """

    source: str
    reason: str
    operators: frozenset[str]


NEURAL_ENGINE = (
    Rule(
        "https://apple.github.io/coremltools/docs-guides/source/typed-execution-example.html",
        "a float32 operation runs on the GPU or the processor",
        frozenset({"(float32)"}),
    ),
    Rule(
        "https://github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md",
        "known from experiments to leave the Neural Engine",
        frozenset({"conv (dilated)", "gather", "gather_along_axis", "gather_nd", "lstm", "gru", "rnn", "custom_layer"}),
    ),
)
"""Of Core ML's operations. ``(float32)`` alone stands for every operation that computes in float32."""

NEURAL_ENGINE_OF_CORE_AI = (
    Rule(
        "https://github.com/apple/coreai-models/blob/main/skills/skills/model-authoring/references/neural_engine_rules.md",
        "float32 falls back to the GPU or the processor",
        frozenset({"(float32)"}),
    ),
    Rule(
        "https://github.com/apple/coreai-models/blob/main/skills/skills/model-authoring/references/neural_engine_rules.md",
        "values of more than five axes are rejected",
        frozenset({"(6 axes)"}),
    ),
)
"""Of Core AI's operations: those of Apple's own rules that say where an operation is not computed."""

SNAPML = (
    Rule(
        "https://developers.snap.com/lens-studio/features/snap-ml/compatibility",
        "not accelerated on the NPU of iPhones",
        frozenset({"ArgMax", "ArgMin", "Cos", "Div"}),
    ),
)
"""Of ONNX operators: rows of the table of layers, those that were read with their marks."""


def judge(accelerator: str, rules: Sequence[Rule], operators: Collection[str]) -> Answer:
    """The placement that rules give.

    Args:
        accelerator: Its name.
        rules: About it.
        operators: The artifact's, each with its traits: ``conv``, ``conv (dilated)``, ``conv (float32)``.

    Example:
        >>> judge("snapml", SNAPML, ["Conv", "Cos"]).placement.text
        'by rule: not Cos'
    """
    excluded: dict[str, None] = {}
    broken: list[Rule] = []
    for rule in rules:
        found = [op for op in operators if op in rule.operators or op[op.find("(") :] in rule.operators]
        if found:
            broken.append(rule)
            excluded |= dict.fromkeys(found)
    sources = dict.fromkeys(rule.source for rule in broken or rules)
    reasons = dict.fromkeys(rule.reason for rule in broken)
    return Answer(Placement(accelerator, "by-rule", tuple(excluded), "; ".join(reasons), source=" and ".join(sources)))
