"""Makes the quantized graphs of one artifact, plan after plan."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.converters import graph as hub
from pocketlens.converters.quantization import plan as plans
from pocketlens.converters.quantization.plan import Plan
from pocketlens.converters.rewrites import registry
from pocketlens.errors import InputError
from pocketlens.files import cached, sha256
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.pipeline.stages.rewrite import TargetGraph
from pocketlens.targets import ArtifactSpec

if TYPE_CHECKING:
    import onnx_ir as ir

    from pocketlens.converters.quantization.quantize import CalibratedGraph
    from pocketlens.converters.quantization.settings import SettingTrial
    from pocketlens.converters.quantized_weights import QuantizedWeights


@dataclass(frozen=True, eq=False)
class GraphQuantizer:
    """Makes the quantized graphs of one artifact, plan after plan; what they share is worked out once.

    Attributes:
        spec: The artifact, of a low-bit precision.
        graph: Before rewrites.
        target_graph: After them.
        plan: The one to begin with: every other one keeps more.
        calibration: Pictures, none of which is scored.
        trials: What the plan's settings gained, where they were measured.
        rewrites: The target's, those that only ``fp32`` may have among them; its float baseline gets them.
    """

    spec: ArtifactSpec
    graph: Path
    target_graph: TargetGraph
    plan: Plan
    calibration: EvalSet
    trials: tuple["SettingTrial", ...] = ()
    rewrites: tuple[str, ...] = ()

    @cached_property
    def is_trained(self) -> bool:
        """Whether the graph came quantized, by training or another tool, which leaves nothing to plan."""
        return self._activations and plans.is_quantized(hub.load(self.graph))

    @cached_property
    def calibrated(self) -> "CalibratedGraph":
        """The graph with the ranges of its values, for precisions that quantize activations."""
        from pocketlens.converters.quantization.quantize import calibrate_graph

        return calibrate_graph(
            hub.load(self.graph), self.plan, self.calibration.pictures, self.spec.format.quantizers, self.rewrite
        )

    @cached_property
    def quantized_weights(self) -> "Mapping[str, QuantizedWeights]":
        """The quantized weights, for precisions that quantize those alone."""
        from pocketlens.converters.weight_quantization.quantize import choose_quantized_weights

        return choose_quantized_weights(self.float_graph, self.plan, self.calibration.pictures)

    @cached_property
    def float_graph(self) -> "ir.Model":
        """The graph that plans are written into."""
        return self.calibrated.model if self._activations else hub.load(self.target_graph.path)

    def rewrite(self, model: "ir.Model") -> None:
        """Give a graph in memory the rewrites that this one has."""
        registry.apply(model, self.target_graph.rewrites)

    def model(self, plan: Plan) -> "ir.Model":
        """The graph with a plan in it, in memory."""
        from pocketlens.converters.weight_quantization.quantize import apply_plan

        return (
            self.calibrated.apply_plan(plan)
            if self._activations
            else apply_plan(self.float_graph, self.quantized_weights, plan)
        )

    def quantize(self, plan: Plan | None = None) -> TargetGraph:
        """The graph with a plan in it as a file, in the cache; with the plan to begin with where none is given.

        Raises:
            InputError: The plan keeps everything in float, or a value cannot be calibrated.
        """
        plan = plan or self.plan

        def make(folder: Path) -> None:
            from pocketlens.converters.quantization.integer_weights import quantize_weights_of_rounded
            from pocketlens.converters.quantized_weights import quantized_weights_of

            if self.is_trained:
                model = hub.load(self.graph)
                quantize_weights_of_rounded(model, self.spec.format.quantizers)
            else:
                model = self.model(plan)
            if not any(
                n.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") or quantized_weights_of(n.outputs[0])
                for n in model.graph
            ):
                raise InputError(
                    f"nothing of {self.spec.target}-{self.spec.precision} is in 8 bits: the graph has no layer with "
                    "weights, or the plan keeps each in float",
                    do="ask for fp32 or fp16",
                )
            hub.save(model, folder / "graph.onnx")
            (folder / "plan.json").write_text(json.dumps(plan.to_json()))

        key = stage_key(
            graph=sha256(self.graph), rewritten=sha256(self.target_graph.path), rewrites=self.target_graph.rewrites,
            target=self.spec.target, first=self.plan.to_json(), plan=plan.to_json(),
            calibration=self.calibration.digest(),
        )  # fmt: skip
        entry = cached("quantized", key, make)
        written_plan = None if self.is_trained else Plan.from_json(json.loads((entry / "plan.json").read_text()))
        return TargetGraph(entry / "graph.onnx", self.target_graph.rewrites, written_plan)

    @property
    def _activations(self) -> bool:
        return self.spec.arithmetic.quantizes == "activations"
