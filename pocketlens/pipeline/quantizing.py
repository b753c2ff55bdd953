"""The stage between the rewritten graph and emitters of precisions in fewer bits: the graph with a plan written into it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.converters.quantization.plan import Plan, Rule, default
from pocketlens.errors import InputError
from pocketlens.files import cached, key_of, sha256
from pocketlens.models.source import Source
from pocketlens.pipeline import stages
from pocketlens.pipeline.pictures import Judges
from pocketlens.pipeline.stages import Rewritten
from pocketlens.precisions import PRECISIONS
from pocketlens.recipe import Quantize
from pocketlens.targets import TARGETS

if TYPE_CHECKING:
    import onnx_ir as ir

    from pocketlens.converters.quantization.quantize import Calibrated
    from pocketlens.converters.quantization.settings import Trial
    from pocketlens.converters.weight_quantization.quantized_weights import QuantizedWeights


_SETTINGS = ("ranges", "equalize", "correct_bias")


def is_coded(precision: str) -> bool:
    """Whether a precision has fewer bits, so that its graph differs from that of the others."""
    return PRECISIONS[precision].is_low_bit


@dataclass(frozen=True, eq=False)
class Workshop:
    """Makes the graphs of one target in one precision, plan after plan; what they share is worked out once.

    Attributes:
        graph: Before rewrites.
        rewritten: After them.
        target: Whose form the graphs get.
        precision: One in fewer bits.
        start: The plan to begin with: every other one keeps more.
        calibrate: Pictures, none of which judges.
        trials: What the plan's settings gained, where they were measured.
        names: The target's rewrites, those that only ``fp32`` may have among them; its float twin gets them.
    """

    graph: Path
    rewritten: Rewritten
    target: str
    precision: str
    start: Plan
    calibrate: Judges
    trials: tuple["Trial", ...] = ()
    names: tuple[str, ...] = ()

    @cached_property
    def is_trained(self) -> bool:
        """Whether the graph came with quantizers of its own, which leave nothing to plan."""
        from pocketlens.converters import graph as hub
        from pocketlens.converters.quantization.plan import has_quantizers

        return self._activations and has_quantizers(hub.load(self.graph))

    @cached_property
    def calibrated(self) -> "Calibrated":
        """The graph with the ranges of its values, for precisions that code activations."""
        from pocketlens.converters import graph as hub
        from pocketlens.converters.quantization.quantize import calibrated
        from pocketlens.converters.rewrites import registry

        return calibrated(
            hub.load(self.graph), self.start, self.calibrate.pictures, TARGETS[self.target].quantizers,
            lambda changed: registry.apply(changed, self.rewritten.rewrites),
        )  # fmt: skip

    @cached_property
    def quantized_weights(self) -> "Mapping[str, QuantizedWeights]":
        """The quantized weights, for precisions that quantize those alone."""
        from pocketlens.converters import graph as hub
        from pocketlens.converters.weight_quantization.quantize import choose_quantized_weights

        return choose_quantized_weights(hub.load(self.rewritten.path), self.start, self.calibrate.pictures)

    @cached_property
    def floats(self) -> "ir.Model":
        """The graph that plans are written into."""
        from pocketlens.converters import graph as hub

        return self.calibrated.model if self._activations else hub.load(self.rewritten.path)

    def model(self, plan: Plan) -> "ir.Model":
        """The graph with a plan in it."""
        from pocketlens.converters.weight_quantization.quantize import apply_plan

        return (
            self.calibrated.quantized(plan)
            if self._activations
            else apply_plan(self.floats, self.quantized_weights, plan)
        )

    def made(self, plan: Plan) -> Rewritten:
        """The graph with a plan in it as a file, in the cache.

        Raises:
            InputError: The plan keeps everything in float, or a value cannot be calibrated.
        """

        def make(folder: Path) -> None:
            from pocketlens.converters import graph as hub
            from pocketlens.converters.weight_quantization.quantized_weights import quantized_weights_of

            model = hub.load(self.graph) if self.is_trained else self.model(plan)
            if not any(
                n.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") or quantized_weights_of(n.outputs[0])
                for n in model.graph
            ):
                raise InputError(
                    f"the plan keeps every convolution of {self.target}-{self.precision} in float",
                    do="ask for fp32 or fp16",
                )
            hub.save(model, folder / "graph.onnx")
            (folder / "plan.json").write_text(json.dumps(plan.to_json()))

        key = key_of(
            graph=sha256(self.graph), rewritten=sha256(self.rewritten.path), rewrites=list(self.rewritten.rewrites),
            target=self.target, start=self.start.to_json(), plan=plan.to_json(), calibrate=self.calibrate.digest(),
            code=stages.code(), tools=stages.toolchain(),
        )  # fmt: skip
        entry = cached("quantized", key, make)
        used = Plan.from_json(json.loads((entry / "plan.json").read_text()))
        return Rewritten(entry / "graph.onnx", self.rewritten.rewrites, None if self.is_trained else used)

    @property
    def _activations(self) -> bool:
        return PRECISIONS[self.precision].quantizes == "activations"


def workshop(
    source: Source,
    graph: Path,
    rewritten: Rewritten,
    target: str,
    precision: str,
    quantize: Quantize,
    judges: Judges,
    start: Plan | None = None,
    names: Sequence[str] = (),
) -> Workshop:
    """What makes the graphs of one artifact in fewer bits, its rules checked and its settings measured.

    A generator that was trained through the rounding of ``int8`` keeps the ranges that it learnt, unless rules are written.
    ``start`` is the plan of another size, which is taken as it is; ``names`` are the target's rewrites.

    Raises:
        InputError: A rule fits nothing or asks for what the target does not have, or the graph is not what was trained.
    """
    ready = trained(source, graph, target) if precision == "int8" and not quantize.rules else None
    # Nothing is left to plan in a graph that came with its quantizers.
    plan = start or (
        plan_for(quantize, target, precision) if ready else start_for(quantize, target, precision, rewritten)
    )
    before, after = (ready, Rewritten(ready, ())) if ready else (graph, rewritten)
    made = Workshop(before, after, target, precision, plan, judges.calibrating(), names=tuple(names))
    check_rules(made)
    return made if start or ready else with_settings(made, quantize)


def with_settings(shop: Workshop, quantize: Quantize) -> Workshop:
    """The same workshop with the settings that measure best, where the recipe leaves them open; kept in the cache.

    Raises:
        InputError: A value cannot be calibrated.
    """
    asked = [name for name in _SETTINGS if getattr(quantize, name) is not None]
    if PRECISIONS[shop.precision].quantizes != "activations" or len(asked) == len(_SETTINGS) or shop.is_trained:
        return shop

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.quantization.settings import measured
        from pocketlens.converters.rewrites import registry

        plan, trials = measured(
            hub.load(shop.graph), shop.start, shop.calibrate.pictures, TARGETS[shop.target].quantizers,
            lambda changed: registry.apply(changed, shop.rewritten.rewrites), asked,
        )  # fmt: skip
        document = {"plan": plan.to_json(), "trials": [asdict(trial) for trial in trials]}
        (folder / "settings.json").write_text(json.dumps(document))

    key = key_of(
        graph=sha256(shop.graph), rewrites=list(shop.rewritten.rewrites), target=shop.target, start=shop.start.to_json(),
        asked=asked, calibrate=shop.calibrate.digest(), code=stages.code(), tools=stages.toolchain(),
    )  # fmt: skip
    from pocketlens.converters.quantization.settings import Trial

    found = json.loads((cached("settings", key, make) / "settings.json").read_text())
    return replace(shop, start=Plan.from_json(found["plan"]), trials=tuple(Trial(**trial) for trial in found["trials"]))


def trained(source: Source, graph: Path, target: str) -> Path | None:
    """The graph with the quantizers of quantization-aware training for a target; None where the source was not trained so.

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

        found = dict(source.load().named_modules())
        layers = []
        for name, span in spans.items():
            layer = found.get(name)
            if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                raise InputError(
                    f"{source.path} has a range for {name!r}, which is no convolution of its", do="get the file again"
                )
            layers.append(Trained(name, layer.weight.detach().numpy(), isinstance(layer, nn.ConvTranspose2d), span))
        dynamic = TARGETS[target].quantizers.dynamic_ranges
        coded = quantize_trained(hub.load(graph), layers, source.ranges.taken, dynamic_ranges=dynamic)
        hub.save(coded, folder / "graph.onnx")

    key = key_of(target=target, graph=sha256(graph), source=source.key, code=stages.code(), tools=stages.toolchain())
    return cached("aware", key, make) / "graph.onnx"


def plan_for(wanted: Quantize, target: str, precision: str) -> Plan:
    """The plan of an artifact: the recipe's rules come behind the rule that the precision stands for.

    Rules of other targets are left out, and so are settings of another kind: ``int8-a16`` says nothing of ``w8``.

    Raises:
        InputError: A rule asks for a setting that the target does not have.

    Example:
        >>> from pocketlens.recipe import Rule as Written
        >>> plan_for(Quantize(rules=(Written(match="^last", setting="float"),)), "onnx", "int8").rules[-1]
        Rule(match='^last', setting='float', operator='')
    """
    rules = []
    for rule in wanted.rules:
        if rule.targets and target not in rule.targets:
            continue
        if rule.setting != "float":
            if PRECISIONS[rule.setting].quantizes != PRECISIONS[precision].quantizes:
                continue
            if rule.setting not in TARGETS[target].precision_names:
                raise InputError(
                    f"quantize.rules: {target} has no {rule.setting}, which the rule {rule.match!r} asks for",
                    do=f"choose from float, {', '.join(TARGETS[target].precision_names)}, or name the rule's targets",
                )
        rules.append(Rule(rule.match, rule.setting, rule.operator))
    start = default(precision)
    given = {name: getattr(wanted, name) for name in _SETTINGS}
    changed = {name: value for name, value in given.items() if value is not None}
    return replace(start, rules=(*start.rules, *rules), **changed)


def start_for(wanted: Quantize, target: str, precision: str, rewritten: Rewritten) -> Plan:
    """The plan to begin with: what the target computes slower in integers stays float, unless the recipe's rules say otherwise.

    Raises:
        InputError: A rule asks for a setting that the target does not have.
    """
    from pocketlens.converters import graph as hub
    from pocketlens.converters.quantization.plan import slower

    plan = plan_for(wanted, target, precision)
    first, *rules = plan.rules
    return replace(
        plan,
        rules=(first, *slower(hub.load(rewritten.path), TARGETS[target].min_int8_input_channels, precision), *rules),
    )


def check_rules(workshop: Workshop) -> None:
    """Check that every rule of a workshop's plan fits something in its target's graph.

    Raises:
        InputError: One does not; names the target and the names that there are.
    """
    from pocketlens.converters import graph as hub
    from pocketlens.converters.quantization import plan as plans

    if len(workshop.start.rules) == 1:
        return
    try:
        plans.check_rules(hub.load(workshop.rewritten.path), workshop.start.rules)
    except InputError as error:
        raise InputError(f"{workshop.target}: {error.what}", do=error.do) from error
